//! The links and pictures that a receiver's document asks for, with their addresses expanded.

use super::cut;
use super::format::{Address, Image, Link};
use super::message::Message;
use super::model;
use super::template::Model;

/// Characters of an address: what Slack takes in a button.
const ADDRESS: usize = 3000;
/// Characters of what a link says: what Slack takes in a button.
const TEXT: usize = 75;

/// A link that can be followed.
pub(super) struct Offered {
    pub text: String,
    pub url: String,
}

/// A picture that can be shown.
pub(super) struct Shown {
    pub src: String,
    pub href: Option<String>,
    pub alt: Option<String>,
}

/// The runbook, if it is one to click, and the receiver's own links.
pub(super) fn links(message: &mut Message, links: &[Link]) -> Vec<Offered> {
    let runbooks = message.alerts.iter().find_map(|told| told.runbook.clone());
    let mut offered: Vec<Offered> = runbooks
        .filter(|url| is_web(url) && url.len() <= ADDRESS)
        .map(|url| Offered {
            text: "Runbook".to_owned(),
            url,
        })
        .into_iter()
        .collect();
    if !links.is_empty() {
        let model = model::of_message(message);
        for link in links {
            offered.extend(address(message, &link.url, &model).map(|url| Offered {
                text: cut::to_characters(&link.text, TEXT),
                url,
            }));
        }
    }
    offered
}

/// The receiver's pictures.
pub(super) fn images(message: &mut Message, images: &[Image]) -> Vec<Shown> {
    if images.is_empty() {
        return Vec::new();
    }
    let model = model::of_message(message);
    let mut shown = Vec::new();
    for image in images {
        let Some(src) = address(message, &image.src, &model) else {
            continue;
        };
        if !src.starts_with("https://") {
            let name = image.src.template.name();
            message.fail(&format!("{name}: PagerDuty shows pictures by https only"));
            continue;
        }
        let href = image.href.as_ref();
        shown.push(Shown {
            src,
            href: href.and_then(|href| address(message, href, &model)),
            alt: image.alt.clone(),
        });
    }
    shown
}

fn address(message: &mut Message, address: &Address, model: &Model) -> Option<String> {
    let name = address.template.name();
    match address.template.expand(model) {
        Ok(expansion) => {
            message.missing.extend(expansion.missing);
            let url = expansion.text.trim().to_owned();
            if is_web(&url) && url.len() <= ADDRESS {
                return Some(url);
            }
            message.fail(&format!("{name}: what it gave is no web address"));
        }
        Err(why) => message.fail(&why),
    }
    None
}

/// What a click may open.
pub(super) fn is_web(url: &str) -> bool {
    let is_one = url.starts_with("https://") || url.starts_with("http://");
    is_one && !url.contains(|c: char| c.is_whitespace() || c.is_control())
}
