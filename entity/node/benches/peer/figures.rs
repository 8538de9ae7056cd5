//! The table that a run prints.

/// What a figure should be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Aim {
    /// It stands for itself.
    None,
    /// At least this.
    AtLeast(f64),
    /// At most this.
    AtMost(f64),
}

#[derive(Debug)]
struct Figure {
    name: &'static str,
    /// Nothing where this build cannot do what is to be measured.
    value: Option<f64>,
    unit: &'static str,
    aim: Aim,
}

impl Figure {
    fn verdict(&self) -> Option<&'static str> {
        let Some(value) = self.value else { return Some("missing") };
        let passed = match self.aim {
            Aim::None => return None,
            Aim::AtLeast(aim) => value >= aim,
            Aim::AtMost(aim) => value <= aim,
        };
        Some(if passed { "pass" } else { "short" })
    }

    fn aim(&self) -> String {
        match self.aim {
            Aim::None => String::new(),
            Aim::AtLeast(aim) => format!(">= {}", number(aim)),
            Aim::AtMost(aim) => format!("<= {}", number(aim)),
        }
    }
}

/// All figures of one run, in the order of measuring.
#[derive(Debug, Default)]
pub(crate) struct Figures(Vec<Figure>);

impl Figures {
    pub(crate) fn add(&mut self, name: &'static str, value: f64, unit: &'static str, aim: Aim) {
        self.add_measured(name, Some(value), unit, aim);
    }

    pub(crate) fn add_measured(
        &mut self,
        name: &'static str,
        value: Option<f64>,
        unit: &'static str,
        aim: Aim,
    ) {
        let figure = Figure { name, value, unit, aim };
        eprintln_progress(&figure);
        self.0.push(figure);
    }

    pub(crate) fn print(&self) {
        println!("{:<36} {:>12} {:<4} {:>12}", "", "measured", "", "aim");
        for figure in &self.0 {
            let value = figure.value.map_or_else(|| "-".to_owned(), number);
            let verdict = figure.verdict().unwrap_or("");
            println!(
                "{:<36} {value:>12} {:<4} {:>12}  {verdict}",
                figure.name,
                figure.unit,
                figure.aim()
            );
        }
    }

    pub(crate) fn to_json(&self) -> String {
        let figures = self.0.iter().map(|figure| {
            let aim = match figure.aim {
                Aim::None => serde_json::Value::Null,
                Aim::AtLeast(aim) => serde_json::json!({"at_least": aim}),
                Aim::AtMost(aim) => serde_json::json!({"at_most": aim}),
            };
            serde_json::json!({
                "name": figure.name.trim(), "value": figure.value, "unit": figure.unit, "aim": aim, "verdict": figure.verdict(),
            })
        });
        serde_json::json!({ "figures": figures.collect::<Vec<_>>() }).to_string()
    }
}

#[expect(clippy::print_stderr, reason = "a run takes a while; progress is no result")]
fn eprintln_progress(figure: &Figure) {
    let value = figure.value.map_or_else(|| "-".to_owned(), number);
    eprintln!("measured {}: {value} {}", figure.name.trim(), figure.unit);
}

/// Three digits where there are no more before the point.
fn number(value: f64) -> String {
    if value.abs() >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}
