mod calendar;
mod cron;
mod machine;
mod state;
mod unit;
