//! The node of `entity run` as a guest of Moltbook, where its configuration says so.

use std::path::Path;

use tokio::task::JoinHandle;

use super::console::{Failed, Kind};
use crate::config::moltbook::MoltbookTable;
use crate::moltbook::duties::{Duties, Orders};
use crate::moltbook::{Desk, DeskError, PATIENCE};
use crate::node::Node;
use crate::rpc::methods::Service;

/// An account and its duties, or none.
#[derive(Debug, Default)]
pub(super) struct Guest {
    desk: Option<Desk>,
    duties: Option<Duties>,
    doing: Option<JoinHandle<()>>,
}

impl Guest {
    /// Reads the key and takes the duties; asks the service nothing yet. The operator's commands have the account from here on.
    pub(super) fn take(
        table: Option<MoltbookTable>,
        data_dir: &Path,
        service: &Service,
    ) -> Result<Self, Failed> {
        let Some(table) = table else { return Ok(Self::default()) };
        let (desk, duties) = open(table, data_dir, service.protocol_versions).map_err(|error| {
            let help = "see [moltbook] in the configuration file, and docs/guide/moltbook.md";
            Failed::new(Kind::Usage, error, Some(help.to_owned()))
        })?;
        service.moltbook.put(desk.clone());
        Ok(Self { desk: Some(desk), duties: Some(duties), doing: None })
    }

    /// Begins with the duties.
    pub(super) fn begin(&mut self, node: &Node) {
        let duties = self.duties.take();
        self.doing = duties.map(|duties| tokio::spawn(duties.carry_out(node.clone())));
    }

    /// Ends the duties and every wait; what the service is being asked is not waited for.
    pub(super) fn end(&self) {
        if let Some(doing) = &self.doing {
            doing.abort();
        }
        if let Some(desk) = &self.desk {
            desk.cancel();
        }
    }
}

fn open(
    table: MoltbookTable,
    data_dir: &Path,
    versions: &'static [&'static str],
) -> Result<(Desk, Duties), DeskError> {
    let desk = Desk::open(&table, data_dir, PATIENCE)?;
    let MoltbookTable { plan, submolt, hand_off, .. } = table;
    let duties = Duties::take(desk.clone(), Orders { plan, submolt, hand_off, versions })?;
    Ok((desk, duties))
}
