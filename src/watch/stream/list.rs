//! Listing: all that there is, streamed at the head of a watch where the server can (KEP-3157),
//! in pages where it cannot.

use std::sync::Arc;

use kube::api::{ListParams, WatchParams};
use kube::client::Body;
use kube::core::Request;

use super::{Stop, Stream};
use crate::watch::Signal;
use crate::watch::decode::{Line, Page};
use crate::watch::error::WatchError;
use crate::watch::lines::Lines;
use crate::watch::metadata;
use crate::watch::request::unsendable;
use crate::watch::resource::Resource;

/// After so many streaming lists that the server accepted and did not finish, pages are tried.
const UNFINISHED_LISTS: u32 = 2;

impl Stream {
    /// Opens a watch that begins with a list, and stays on it.
    pub(super) async fn list_and_watch(&mut self, resource: &Resource) -> Result<(), Stop> {
        let params = WatchParams {
            send_initial_events: true,
            ..self.watch_params()
        };
        let mut lines = match self.open_watch(resource, &params, "").await {
            Err(WatchError::Rejected { code, message }) => {
                tracing::debug!(source = %self.key, code, message, "no streaming list: listing in pages");
                self.paged = true;
                return Ok(());
            }
            opened => opened?,
        };
        self.begin_list().await?;
        let listed = self.initial_events(&mut lines).await;
        if listed.is_err() {
            self.unfinished_lists += 1;
            self.paged = self.unfinished_lists >= UNFINISHED_LISTS;
        } else {
            self.unfinished_lists = 0;
        }
        self.end_list(listed).await?;
        self.changes(resource, &mut lines).await
    }

    /// Hands over the objects at the head of the watch. Gives the version at which they are all.
    async fn initial_events(&mut self, lines: &mut Lines<Body>) -> Result<Arc<str>, Stop> {
        loop {
            match self.next_line(lines).await? {
                Some(Line::Item(item)) => self.hand_over(item).await?,
                Some(Line::Bookmark {
                    resource_version,
                    initial_events_end: true,
                }) => return Ok(resource_version),
                Some(Line::Bookmark { .. }) => {}
                Some(Line::Error(status)) => {
                    return Err(WatchError::of_status(status, None).into());
                }
                None => {
                    let reason = String::from("the stream ended before the list was complete");
                    return Err(WatchError::Cut { reason }.into());
                }
            }
        }
    }

    /// Lists page by page; the watch follows as the next attempt.
    pub(super) async fn list_in_pages(&mut self, resource: &Resource) -> Result<(), Stop> {
        let mut params = self.list_params();
        // A list has begun when its first page is there: a refused one never began.
        let first = self.page(resource, &mut params).await?;
        self.begin_list().await?;
        let listed = self.pages(resource, first, &mut params).await;
        self.end_list(listed).await
    }

    /// Reads everything again that was handed over before, page by page. What changed since is
    /// older than what the list has; the watch that follows brings it.
    pub(super) async fn refresh(&mut self, resource: &Resource) -> Result<(), Stop> {
        let mut params = self.list_params();
        loop {
            let page = self.page(resource, &mut params).await?;
            for mut item in page.items {
                if let Signal::Applied(observation) = item.signal {
                    item.signal = Signal::Refreshed(observation);
                    self.hand_over(item).await?;
                }
            }
            if page.next.is_none() {
                break;
            }
            params.continue_token = page.next;
        }
        self.say(Signal::RefreshEnded).await?;
        self.refresh = false;
        self.stats.lists.increment();
        Ok(self.recovered().await?)
    }

    fn list_params(&self) -> ListParams {
        ListParams {
            label_selector: self.source.label_selector.as_deref().map(str::to_owned),
            field_selector: self.source.field_selector.as_deref().map(str::to_owned),
            limit: Some(self.settings.page_items),
            ..ListParams::default()
        }
    }

    async fn pages(
        &mut self,
        resource: &Resource,
        mut page: Page,
        params: &mut ListParams,
    ) -> Result<Arc<str>, Stop> {
        loop {
            for item in page.items {
                self.hand_over(item).await?;
            }
            if page.next.is_none() {
                return Ok(page.resource_version);
            }
            params.continue_token = page.next;
            page = self.page(resource, params).await?;
        }
    }

    /// One page; if it is too large to hold, the same again with fewer objects.
    async fn page(
        &mut self,
        resource: &Resource,
        params: &mut ListParams,
    ) -> Result<Page, WatchError> {
        loop {
            let mut request = Request::new(&resource.path)
                .list(params)
                .map_err(|error| unsendable(&error))?;
            if self.only_metadata {
                metadata::of_lists(&mut request);
            }
            let read = self
                .cluster
                .read(request, self.settings.answer, self.settings.page_bytes)
                .await;
            match (read, params.limit) {
                (Err(WatchError::PageTooLarge { .. }), Some(limit)) if limit > 1 => {
                    params.limit = Some(limit / 4 + 1);
                }
                (text, _) => return Ok(self.decoder.page(&text?)?),
            }
        }
    }

    async fn begin_list(&mut self) -> Result<(), Stop> {
        self.refresh = false;
        self.awake().await?;
        Ok(self.say(Signal::ListBegan).await?)
    }

    async fn end_list(&mut self, listed: Result<Arc<str>, Stop>) -> Result<(), Stop> {
        match listed {
            Ok(version) => {
                self.stats.lists.increment();
                self.say(Signal::ListEnded).await?;
                self.position.set(Some(version));
                Ok(self.recovered().await?)
            }
            Err(Stop::Failed(error)) => {
                let why = error.to_string();
                self.say(Signal::ListAborted { why }).await?;
                Err(error.into())
            }
            Err(Stop::Unheard) => Err(Stop::Unheard),
        }
    }
}
