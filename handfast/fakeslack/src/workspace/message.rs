//! A message, and what the service demands of one.

use serde_json::Value;

/// A message of a channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Its time stamp, which is also its name.
    pub ts: String,
    /// The message that it answers.
    pub thread_ts: Option<String>,
    /// Its text, which notifications show.
    pub text: String,
    /// Its blocks.
    pub blocks: Vec<Value>,
    /// What only programs see.
    pub metadata: Option<Value>,
    /// Whether the bot wrote it.
    pub own: bool,
    /// How often it was changed.
    pub edits: u32,
}

/// A page of messages, as a look-up gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Index of its first message among those that fit.
    pub from: usize,
    /// How many it may have.
    pub len: usize,
}

impl Message {
    /// A message of somebody who just talks.
    pub fn said(text: &str) -> Self {
        Self {
            ts: String::new(),
            thread_ts: None,
            text: text.to_owned(),
            blocks: Vec::new(),
            metadata: None,
            own: true,
            edits: 0,
        }
    }

    /// The key that its metadata holds.
    pub fn key(&self) -> Option<&str> {
        self.metadata.as_ref()?.pointer("/event_payload/key")?.as_str()
    }

    /// Reads the body of a request that makes or changes a message; the error is the service's word.
    pub(super) fn read(body: &Value) -> Result<Self, &'static str> {
        let text = body.get("text").and_then(Value::as_str).unwrap_or_default();
        let blocks = match body.get("blocks") {
            None => Vec::new(),
            Some(Value::Array(blocks)) => blocks.clone(),
            Some(_) => return Err("invalid_blocks_format"),
        };
        if text.is_empty() && blocks.is_empty() {
            return Err("no_text");
        }
        if text.chars().count() > TEXT_MAX {
            return Err("msg_too_long");
        }
        if blocks.len() > BLOCKS_MAX || !blocks.iter().all(is_block) {
            return Err("invalid_blocks");
        }
        let metadata = body.get("metadata").cloned();
        if let Some(metadata) = &metadata {
            let named = metadata.get("event_type").is_some_and(Value::is_string);
            let filled = metadata.get("event_payload").is_some_and(Value::is_object);
            if !named || !filled {
                return Err("invalid_metadata_format");
            }
        }
        let thread_ts = body.get("thread_ts").and_then(Value::as_str).map(str::to_owned);
        Ok(Self { thread_ts, blocks, metadata, ..Self::said(text) })
    }

    /// The message as look-ups give it.
    pub(super) fn shown(&self, with_metadata: bool) -> Value {
        let mut shown = serde_json::json!({
            "type": "message", "ts": self.ts, "text": self.text, "blocks": self.blocks,
        });
        if self.own {
            shown["bot_id"] = "B0FAKE".into();
        }
        if let Some(thread) = &self.thread_ts {
            shown["thread_ts"] = thread.as_str().into();
        }
        if let (true, Some(metadata)) = (with_metadata, &self.metadata) {
            shown["metadata"] = metadata.clone();
        }
        shown
    }
}

fn is_block(block: &Value) -> bool {
    let text_fits = |text: &Value, max: usize| {
        let len = text.get("text").and_then(Value::as_str).map_or(0, |text| text.chars().count());
        (1..=max).contains(&len)
    };
    let id_fits = block
        .get("block_id")
        .is_none_or(|id| id.as_str().is_some_and(|id| id.chars().count() <= BLOCK_ID_MAX));
    let fits = match block.get("type").and_then(Value::as_str) {
        Some("section") => {
            let text = block.get("text").is_none_or(|text| text_fits(text, SECTION_MAX));
            let fields = block.get("fields").and_then(Value::as_array);
            let few = fields.is_none_or(|fields| {
                fields.len() <= FIELDS_MAX && fields.iter().all(|field| text_fits(field, FIELD_MAX))
            });
            (block.get("text").is_some() || fields.is_some()) && text && few
        }
        Some("header") => block.get("text").is_some_and(|text| {
            text_fits(text, HEADER_MAX) && text.get("type").is_some_and(|kind| kind == "plain_text")
        }),
        Some("context") => {
            block.get("elements").and_then(Value::as_array).is_some_and(|elements| {
                (1..=ELEMENTS_MAX).contains(&elements.len())
                    && elements.iter().all(|element| text_fits(element, SECTION_MAX))
            })
        }
        Some("divider") => true,
        Some(_) | None => false,
    };
    fits && id_fits
}

/// Longest text of a message, characters; beyond it the service cuts or refuses.
const TEXT_MAX: usize = 40_000;
/// Most blocks of a message.
const BLOCKS_MAX: usize = 50;
/// Longest text of a section or an element, characters.
const SECTION_MAX: usize = 3_000;
/// Most fields of a section.
const FIELDS_MAX: usize = 10;
/// Longest field, characters.
const FIELD_MAX: usize = 2_000;
/// Longest header, characters.
const HEADER_MAX: usize = 150;
/// Most elements of a context.
const ELEMENTS_MAX: usize = 10;
/// Longest id of a block, characters.
const BLOCK_ID_MAX: usize = 255;
