//! The answer's body, holding its place in the bulkhead until it is read; that of a call, under its deadline.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::Status;

pub(super) struct Bounded {
    inner: tonic::body::Body,
    deadline: Option<Pin<Box<Sleep>>>,
    place: Option<OwnedSemaphorePermit>,
}

impl Bounded {
    pub(super) fn new(
        inner: tonic::body::Body,
        deadline: Option<Instant>,
        place: OwnedSemaphorePermit,
    ) -> Bounded {
        Bounded { inner, deadline: deadline.map(|at| Box::pin(sleep_until(at))), place: Some(place) }
    }
}

impl Body for Bounded {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(context) {
            if frame.is_none() {
                self.place = None;
            }
            return Poll::Ready(frame);
        }
        match self.deadline.as_mut().map(|deadline| deadline.as_mut().poll(context)) {
            Some(Poll::Ready(())) => Poll::Ready(Some(Err(super::too_late()))),
            Some(Poll::Pending) | None => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
