//! Sees whether any byte of a request left.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ureq::Error;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

/// Whether any byte of the present request left. Set before the first write, since a write that fails may have written.
#[derive(Debug, Clone, Default)]
pub(super) struct Left(Arc<AtomicBool>);

impl Left {
    pub(super) fn forget(&self) {
        self.0.store(false, Ordering::SeqCst);
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    fn set(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// The last link of the chain that makes a connection: what passes it is the request, not TLS or a proxy's greeting.
#[derive(Debug)]
pub(super) struct Watch {
    left: Left,
    behind_proxy: bool,
}

impl Watch {
    pub(super) fn new(left: Left, behind_proxy: bool) -> Self {
        Self { left, behind_proxy }
    }
}

impl<In: Transport> Connector<In> for Watch {
    type Out = Watched<In>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        // The connection to a proxy is made by this same chain, with a configuration that names no proxy: what it carries is the
        // greeting, and then what passes the watch of the connection that leads through it.
        let is_to_proxy = self.behind_proxy && details.config.proxy().is_none();
        let left = if is_to_proxy { Left::default() } else { self.left.clone() };
        Ok(chained.map(|inner| Watched { inner, left }))
    }
}

/// A connection that says when something is sent.
#[derive(Debug)]
pub(super) struct Watched<In> {
    inner: In,
    left: Left,
}

impl<In: Transport> Transport for Watched<In> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        if amount > 0 {
            self.left.set();
        }
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.inner.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}
