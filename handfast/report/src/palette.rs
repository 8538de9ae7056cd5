//! The few colours of the console.

use std::fmt;

use anstyle::{AnsiColor, Style};
use handfast_scenario::verdict::VerdictKind;

/// Colours for text, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Palette {
    /// Plain text: not a terminal, or `NO_COLOR` is set.
    Plain,
    /// ANSI colours.
    Coloured,
}

/// What a piece of text is, so that one place decides how it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// Something that went well.
    Good,
    /// Something that failed.
    Bad,
    /// Something to look at: infrastructure, unsupported, warnings.
    Doubtful,
    /// A heading or a name.
    Strong,
    /// Detail beside the point.
    Faint,
}

impl Palette {
    /// Paints `text`, or returns it as it is.
    pub fn paint(self, ink: Ink, text: impl fmt::Display) -> String {
        match self {
            Self::Plain => text.to_string(),
            Self::Coloured => {
                let style = ink.style();
                format!("{style}{text}{style:#}")
            }
        }
    }

    /// The word for a verdict, five columns wide.
    pub fn verdict(self, kind: VerdictKind) -> String {
        let (ink, word) = match kind {
            VerdictKind::Passed => (Ink::Good, "PASS "),
            VerdictKind::Failed => (Ink::Bad, "FAIL "),
            VerdictKind::Infra => (Ink::Doubtful, "INFRA"),
            VerdictKind::TimedOut => (Ink::Bad, "HUNG "),
            VerdictKind::Unsupported => (Ink::Doubtful, "UNSUP"),
            VerdictKind::Absent => (Ink::Doubtful, "ABSNT"),
            VerdictKind::DidNotFit => (Ink::Doubtful, "NOFIT"),
        };
        self.paint(ink, word)
    }
}

impl Ink {
    fn style(self) -> Style {
        match self {
            Self::Good => AnsiColor::Green.on_default(),
            Self::Bad => AnsiColor::Red.on_default().bold(),
            Self::Doubtful => AnsiColor::Yellow.on_default(),
            Self::Strong => Style::new().bold(),
            Self::Faint => Style::new().dimmed(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_has_no_escape_codes() {
        assert_eq!(Palette::Plain.paint(Ink::Bad, "no"), "no");
        assert_eq!(Palette::Plain.verdict(VerdictKind::TimedOut), "HUNG ");
    }

    #[test]
    fn coloured_text_ends_its_colour() {
        let text = Palette::Coloured.paint(Ink::Good, "yes");
        assert!(text.starts_with("\u{1b}[") && text.ends_with("\u{1b}[0m"), "{text:?}");
    }
}
