//! Distributions and order statistics: what accounts of links, calibrations and trends are judged by.
//!
//! This crate is pure, and knows of nothing but numbers.
//!
//! | module | what it holds |
//! |---|---|
//! | [`binomial`] | hits of so many trials, their interval, whether they agree with a chance |
//! | [`chi_square`], [`normal`], [`student`], [`poisson`] | tails and quantiles |
//! | [`gamma`], [`beta`] | the two functions on which these stand |
//! | [`number`] | counts as numbers, medians, quantiles, means |

pub mod beta;
pub mod binomial;
pub mod chi_square;
pub mod gamma;
pub mod normal;
pub mod number;
pub mod poisson;
pub mod student;
