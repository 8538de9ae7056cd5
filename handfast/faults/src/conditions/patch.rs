//! Conditions of which some fields are named, and the text form of all conditions.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::conditions::{
    Conditions, Cut, Delay, InvalidConditions, Loss, Queue, Rate, Reorder, Shape,
};
use crate::dice::{Chance, NoShare};
use crate::units::{self, InvalidQuantity};

/// Some fields of [`Conditions`]; the others stay as they are below it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Text", into = "Text")]
pub struct ConditionsPatch {
    /// [`Delay::base`].
    pub delay: Option<Duration>,
    /// [`Delay::jitter`]; without a shape it is [`Shape::Uniform`] where there was none.
    pub jitter: Option<Duration>,
    /// [`Delay::shape`].
    pub shape: Option<Shape>,
    /// [`Delay::correlation`].
    pub correlation: Option<Chance>,
    /// [`Delay::keeps_order`].
    pub keeps_order: Option<bool>,
    /// [`Conditions::loss`], whole.
    pub loss: Option<Loss>,
    /// [`Conditions::duplicate`].
    pub duplicate: Option<Chance>,
    /// [`Conditions::corrupt`].
    pub corrupt: Option<Chance>,
    /// [`Conditions::renew_checksums`].
    pub renew_checksums: Option<bool>,
    /// [`Reorder::chance`].
    pub reorder: Option<Chance>,
    /// [`Reorder::by`].
    pub reorder_by: Option<Duration>,
    /// [`Conditions::rate`] with its queue, whole.
    pub rate: Option<Rate>,
    /// [`Conditions::mtu`].
    pub mtu: Option<u16>,
    /// [`Conditions::dead_flows`].
    pub dead_flows: Option<Chance>,
    /// [`Conditions::cut`].
    pub cut: Option<Cut>,
}

impl ConditionsPatch {
    /// A patch that cuts.
    pub fn cut(how: Cut) -> Self {
        Self { cut: Some(how), ..Self::default() }
    }

    /// Whether it names no field.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// These fields, and the others of `base`.
    #[must_use]
    pub fn over(&self, base: &Conditions) -> Conditions {
        let jitter = self.jitter.unwrap_or(base.delay.jitter);
        let shape = self.shape.unwrap_or(base.delay.shape);
        // Jitter of no shape and a shape of no jitter are both nothing that can be drawn from.
        let (jitter, shape) = match (jitter.is_zero(), shape) {
            (true, _) => (Duration::ZERO, Shape::Constant),
            (false, Shape::Constant) if self.shape.is_some() => (Duration::ZERO, Shape::Constant),
            (false, Shape::Constant) => (jitter, Shape::Uniform),
            (false, shape) => (jitter, shape),
        };
        let reorder = self.reorder.unwrap_or(base.reorder.chance);
        let by = self.reorder_by.unwrap_or(base.reorder.by);
        let by = if by.is_zero() && !reorder.is_never() { Reorder::BY } else { by };
        Conditions {
            delay: Delay {
                base: self.delay.unwrap_or(base.delay.base),
                jitter,
                shape,
                correlation: self.correlation.unwrap_or(base.delay.correlation),
                keeps_order: self.keeps_order.unwrap_or(base.delay.keeps_order),
            },
            loss: self.loss.unwrap_or(base.loss),
            duplicate: self.duplicate.unwrap_or(base.duplicate),
            corrupt: self.corrupt.unwrap_or(base.corrupt),
            renew_checksums: self.renew_checksums.unwrap_or(base.renew_checksums),
            reorder: Reorder { chance: reorder, by },
            rate: self.rate.or(base.rate),
            mtu: self.mtu.or(base.mtu),
            dead_flows: self.dead_flows.unwrap_or(base.dead_flows),
            cut: self.cut.or(base.cut),
        }
    }
}

impl fmt::Display for ConditionsPatch {
    /// Its fields as they are written, with a comma between.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let loss = self.loss.map(|loss| match loss.continues() {
            Some(goes_on) if matches!(loss, Loss::GilbertElliott { .. }) => {
                let length = 1.0 / (1.0 - goes_on);
                format!("loss {:.2} % in bursts of {length:.1}", loss.share() * 100.0)
            }
            Some(_) | None => format!("loss {:.2} %", loss.share() * 100.0),
        });
        let rate = self.rate.map(|rate| {
            let queue = match rate.queue {
                Queue::Bytes(bytes) => units::display_bytes(bytes),
                Queue::Time(span) => units::display_span(span),
            };
            format!("rate {} with a queue of {queue}", units::display_bits_per_s(rate.bits_per_s))
        });
        let span = |name: &str, span: Option<Duration>| {
            span.map(|span| format!("{name} {}", units::display_span(span)))
        };
        let chance = |name: &str, chance: Option<Chance>| chance.map(|of| format!("{name} {of}"));
        let shape = self.shape.map(|shape| match shape {
            Shape::Constant => "constant",
            Shape::Uniform => "uniform",
            Shape::Normal => "normal",
            Shape::Pareto => "pareto",
            Shape::ParetoNormal => "pareto-normal",
        });
        let order = |keeps: bool| if keeps { "order kept" } else { "order not kept" };
        let cut = self.cut.map(|cut| match cut {
            Cut::Silent => "cut silently",
            Cut::Reset => "cut with resets",
        });
        let parts = [
            span("delay", self.delay),
            span("jitter", self.jitter),
            shape.map(str::to_owned),
            chance("correlation", self.correlation),
            self.keeps_order.map(|keeps| order(keeps).to_owned()),
            loss,
            chance("duplicate", self.duplicate),
            chance("corrupt", self.corrupt),
            self.renew_checksums.filter(|renew| *renew).map(|_| "checksums renewed".to_owned()),
            chance("reorder", self.reorder),
            span("by", self.reorder_by),
            rate,
            self.mtu.map(|mtu| format!("mtu {mtu}")),
            chance("dead flows", self.dead_flows),
            cut.map(str::to_owned),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        f.write_str(if parts.is_empty() { "nothing" } else { "" })?;
        f.write_str(&parts.join(", "))
    }
}

impl fmt::Display for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        ConditionsPatch::from(self.clone()).fmt(f)
    }
}

impl From<Conditions> for ConditionsPatch {
    /// The fields in which something happens.
    fn from(conditions: Conditions) -> Self {
        let Conditions { delay, reorder, .. } = conditions;
        let differs = |chance: Chance| (!chance.is_never()).then_some(chance);
        let lasts = |span: Duration| (!span.is_zero()).then_some(span);
        Self {
            delay: lasts(delay.base),
            jitter: lasts(delay.jitter),
            shape: (delay.shape != Shape::Constant).then_some(delay.shape),
            correlation: differs(delay.correlation),
            keeps_order: (!delay.keeps_order).then_some(false),
            loss: (conditions.loss != Loss::None).then_some(conditions.loss),
            duplicate: differs(conditions.duplicate),
            corrupt: differs(conditions.corrupt),
            renew_checksums: conditions.renew_checksums.then_some(true),
            reorder: differs(reorder.chance),
            reorder_by: lasts(reorder.by),
            rate: conditions.rate,
            mtu: conditions.mtu,
            dead_flows: differs(conditions.dead_flows),
            cut: conditions.cut,
        }
    }
}

impl TryFrom<ConditionsPatch> for Conditions {
    type Error = InvalidConditions;

    fn try_from(patch: ConditionsPatch) -> Result<Self, InvalidConditions> {
        let conditions = patch.over(&Self::default());
        conditions.check().map(|()| conditions)
    }
}

/// Why a text is no patch.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum InvalidPatch {
    /// A quantity is none.
    #[error("`{field}`: {error}")]
    Quantity {
        /// Which.
        field: &'static str,
        /// Why.
        #[source]
        error: InvalidQuantity,
    },
    /// A chance is none.
    #[error("`{field}`: {error}")]
    Share {
        /// Which.
        field: &'static str,
        /// Why.
        #[source]
        error: NoShare,
    },
    /// A field says how, and the one that says what is missing.
    #[error("`{field}` says nothing without `{of}` beside it")]
    Alone {
        /// The field that is there.
        field: &'static str,
        /// The field that is not.
        of: &'static str,
    },
    /// The chances of a chain say already how long bursts are.
    #[error("`burst` and a chain of losses (`p`, `r`) exclude each other")]
    BurstOfChain,
    /// `shape = "constant"` with jitter.
    #[error("`jitter` and `shape = \"constant\"` exclude each other")]
    ConstantJitter,
    /// There can be no such conditions.
    #[error(transparent)]
    Conditions(#[from] InvalidConditions),
}

/// A patch as people write it: one flat table.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Text {
    #[serde(skip_serializing_if = "Option::is_none", with = "units::span_option")]
    delay: Option<Duration>,
    #[serde(skip_serializing_if = "Option::is_none", with = "units::span_option")]
    jitter: Option<Duration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shape: Option<Shape>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation: Option<Chance>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keeps_order: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    loss: Option<LossText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    burst: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duplicate: Option<Chance>,
    #[serde(skip_serializing_if = "Option::is_none")]
    corrupt: Option<Chance>,
    #[serde(skip_serializing_if = "Option::is_none")]
    renew_checksums: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reorder: Option<Chance>,
    #[serde(skip_serializing_if = "Option::is_none", with = "units::span_option")]
    reorder_by: Option<Duration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mtu: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dead_flows: Option<Chance>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cut: Option<Cut>,
}

/// Loss as people write it: a share, or the four chances of a chain.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(untagged, expecting = "`loss` is a share such as 0.02, or a table with `p` and `r`")]
enum LossText {
    Share(f64),
    Chain(Chain),
}

/// The chances of a chain; a bad stretch loses everything where nobody says otherwise.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Chain {
    p: Chance,
    r: Chance,
    #[serde(default, skip_serializing_if = "Chance::is_never_in")]
    good: Chance,
    #[serde(default = "Chance::always", skip_serializing_if = "Chance::is_always_in")]
    bad: Chance,
}

impl Chance {
    fn always() -> Self {
        Self::ALWAYS
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a field over like this")]
    fn is_never_in(&self) -> bool {
        self.is_never()
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a field over like this")]
    fn is_always_in(&self) -> bool {
        *self == Self::ALWAYS
    }
}

impl TryFrom<Text> for ConditionsPatch {
    type Error = InvalidPatch;

    fn try_from(text: Text) -> Result<Self, InvalidPatch> {
        if text.jitter.is_some_and(|jitter| !jitter.is_zero())
            && text.shape == Some(Shape::Constant)
        {
            return Err(InvalidPatch::ConstantJitter);
        }
        let patch = Self {
            loss: loss(text.loss, text.burst)?,
            rate: rate(text.rate.as_deref(), text.queue.as_deref())?,
            delay: text.delay,
            jitter: text.jitter,
            shape: text.shape,
            correlation: text.correlation,
            keeps_order: text.keeps_order,
            duplicate: text.duplicate,
            corrupt: text.corrupt,
            renew_checksums: text.renew_checksums,
            reorder: text.reorder,
            reorder_by: text.reorder_by,
            mtu: text.mtu,
            dead_flows: text.dead_flows,
            cut: text.cut,
        };
        // Whatever it is laid over was checked itself, so that what is right alone is right there too.
        patch.over(&Conditions::default()).check()?;
        Ok(patch)
    }
}

fn loss(loss: Option<LossText>, burst: Option<f64>) -> Result<Option<Loss>, InvalidPatch> {
    match (loss, burst) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(InvalidPatch::Alone { field: "burst", of: "loss" }),
        (Some(LossText::Chain(_)), Some(_)) => Err(InvalidPatch::BurstOfChain),
        (Some(LossText::Chain(Chain { p, r, good, bad })), None) => {
            Ok(Some(Loss::GilbertElliott { p, r, good_loss: good, bad_loss: bad }))
        }
        (Some(LossText::Share(share)), burst) => {
            let share = Chance::share(share)
                .map_err(|error| InvalidPatch::Share { field: "loss", error })?;
            match burst {
                None if share.is_never() => Ok(Some(Loss::None)),
                None => Ok(Some(Loss::Independent(share))),
                Some(length) => Ok(Some(Loss::bursts(share, length)?)),
            }
        }
    }
}

fn rate(rate: Option<&str>, queue: Option<&str>) -> Result<Option<Rate>, InvalidPatch> {
    let quantity = |field| move |error| InvalidPatch::Quantity { field, error };
    let Some(rate) = rate else {
        let alone = InvalidPatch::Alone { field: "queue", of: "rate" };
        return if queue.is_some() { Err(alone) } else { Ok(None) };
    };
    let bits_per_s = units::parse_bits_per_s(rate).map_err(quantity("rate"))?;
    let queue = match queue {
        None => Queue::usual(bits_per_s),
        Some(text) => match units::parse_bytes(text) {
            Ok(bytes) => Queue::Bytes(bytes),
            Err(_) => Queue::Time(units::parse_span(text).map_err(quantity("queue"))?),
        },
    };
    Ok(Some(Rate { bits_per_s, queue }))
}

impl From<ConditionsPatch> for Text {
    fn from(patch: ConditionsPatch) -> Self {
        let loss = patch.loss.map(|loss| match loss {
            Loss::None => LossText::Share(0.0),
            Loss::Independent(share) => LossText::Share(share.as_share()),
            Loss::GilbertElliott { p, r, good_loss, bad_loss } => {
                LossText::Chain(Chain { p, r, good: good_loss, bad: bad_loss })
            }
        });
        let queue = patch.rate.map(|rate| match rate.queue {
            Queue::Bytes(bytes) => units::display_bytes(bytes),
            Queue::Time(span) => units::display_span(span),
        });
        Self {
            delay: patch.delay,
            jitter: patch.jitter,
            shape: patch.shape,
            correlation: patch.correlation,
            keeps_order: patch.keeps_order,
            loss,
            burst: None,
            duplicate: patch.duplicate,
            corrupt: patch.corrupt,
            renew_checksums: patch.renew_checksums,
            reorder: patch.reorder,
            reorder_by: patch.reorder_by,
            rate: patch.rate.map(|rate| units::display_bits_per_s(rate.bits_per_s)),
            queue,
            mtu: patch.mtu,
            dead_flows: patch.dead_flows,
            cut: patch.cut,
        }
    }
}
