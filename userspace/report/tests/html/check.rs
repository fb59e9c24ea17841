//! A strict reader of the pages: every element closed in order, every attribute quoted, ids unique, anchors that lead
//! somewhere, nothing that loads, nothing that acts.

use std::collections::BTreeSet;

use gemscope_report::escape;

/// What a page says.
#[derive(Debug, Default)]
pub struct Page {
    /// everything between tags, without style and script
    pub text: String,
    /// the Content-Security-Policy
    pub policy: String,
    /// the style
    pub style: String,
    /// the script
    pub script: String,
    /// every id
    pub ids: BTreeSet<String>,
}

const VOID: &[&str] = &["meta", "br", "hr"];

const KNOWN: &[&str] = &[
    "html", "head", "meta", "title", "style", "script", "body", "a", "header", "main", "footer", "nav",
    "section", "article", "h1", "h2", "h3", "h4", "p", "b", "ul", "ol", "li", "dl", "dt", "dd", "div",
    "span", "code", "pre", "details", "summary", "table", "caption", "thead", "tbody", "tr", "th", "td",
    "svg", "defs", "marker", "g", "path", "rect", "line", "text", "tspan",
];

const ATTRIBUTES: &[&str] = &[
    "lang",
    "charset",
    "http-equiv",
    "content",
    "name",
    "class",
    "id",
    "href",
    "role",
    "aria-label",
    "aria-labelledby",
    "aria-live",
    "aria-hidden",
    "tabindex",
    "open",
    "scope",
    "data-v",
    "data-l",
    "data-d",
    "width",
    "height",
    "viewBox",
    "x",
    "y",
    "x1",
    "x2",
    "y1",
    "y2",
    "rx",
    "d",
    "refX",
    "refY",
    "markerWidth",
    "markerHeight",
    "markerUnits",
    "orient",
    "marker-end",
    "text-anchor",
];

/// Reads a page and insists on all of it.
#[track_caller]
pub fn sound(html: &str) -> Page {
    let mut page = Page::default();
    let mut open: Vec<String> = Vec::new();
    let mut links: Vec<String> = Vec::new();
    let hostile: Vec<char> = html.chars().filter(|c| *c != '\n' && escape::is_hostile(*c)).collect();
    assert!(hostile.is_empty(), "{hostile:?}");
    let mut rest = html.strip_prefix("<!DOCTYPE html>").expect("a document type");
    while let Some(at) = rest.find('<') {
        add_text(&mut page.text, &rest[..at]);
        rest = &rest[at..];
        if let Some(closing) = rest.strip_prefix("</") {
            let end = closing.find('>').expect("the end of a closing tag");
            assert_eq!(open.pop().as_deref(), Some(&closing[..end]), "closed out of order");
            rest = &closing[end + 1..];
            continue;
        }
        let (name, attributes, after) = tag(&rest[1..]);
        assert!(KNOWN.contains(&name), "an element `{name}`");
        for (key, value) in &attributes {
            assert!(ATTRIBUTES.contains(&key.as_str()), "an attribute `{key}` of `{name}`");
            match key.as_str() {
                "id" => assert!(page.ids.insert(value.clone()), "the id `{value}` is there twice"),
                "href" => links.push(value.strip_prefix('#').expect("a link inside the page").to_owned()),
                "aria-labelledby" => links.push(value.clone()),
                "marker-end" => {
                    links.push(
                        value
                            .strip_prefix("url(#")
                            .and_then(|v| v.strip_suffix(')'))
                            .expect("a marker")
                            .to_owned(),
                    );
                }
                "content" if value.starts_with("default-src") => page.policy = value.clone(),
                _ => {}
            }
        }
        if name == "th" {
            assert!(attributes.iter().any(|(k, _)| k == "scope"), "a table head without its scope");
        }
        rest = after;
        if name == "style" || name == "script" {
            let (inside, after) = rest.split_once(&format!("</{name}>")).expect("closed");
            assert!(!inside.contains("</") && !inside.contains("<!--"), "{name}");
            let place = if name == "style" { &mut page.style } else { &mut page.script };
            assert!(place.is_empty(), "two of `{name}`");
            inside.clone_into(place);
            rest = after;
        } else if !VOID.contains(&name) {
            open.push(name.to_owned());
        }
        page.text.push('\n');
    }
    assert!(open.is_empty(), "never closed: {open:?}");
    assert_eq!(rest, "\n");
    for link in links {
        assert!(page.ids.contains(&link), "`#{link}` leads nowhere");
    }
    for word in ["http:", "https:", "url(", "@import", "fetch(", "XMLHttpRequest", "innerHTML", "eval("] {
        assert!(!page.style.contains(word) && !page.script.contains(word), "`{word}`");
    }
    page
}

/// A tag's name and attributes, and what follows it.
#[track_caller]
fn tag(text: &str) -> (&str, Vec<(String, String)>, &str) {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric()).expect("the end of a name");
    let (name, mut rest) = text.split_at(end);
    let mut attributes = Vec::new();
    loop {
        rest = match rest.strip_prefix('>') {
            Some(after) => return (name, attributes, after),
            None => rest.strip_prefix(' ').unwrap_or_else(|| panic!("in a tag `{name}`: {:.60}", rest)),
        };
        let end = rest.find(['=', '>', ' ']).expect("the end of an attribute");
        let key = rest[..end].to_owned();
        rest = &rest[end..];
        let mut value = String::new();
        if let Some(after) = rest.strip_prefix("=\"") {
            let end = after.find('"').expect("the end of a value");
            assert!(!after[..end].contains('<'), "an open bracket in `{key}`");
            value = decode(&after[..end]);
            rest = &after[end + 1..];
        }
        assert!(!attributes.iter().any(|(k, _)| *k == key), "`{key}` twice");
        attributes.push((key, value));
    }
}

fn add_text(out: &mut String, text: &str) {
    assert!(!text.contains('>'), "a bracket in the text: {text}");
    out.push_str(&decode(text));
}

fn decode(text: &str) -> String {
    for part in text.split('&').skip(1) {
        let known = ["lt;", "gt;", "amp;", "quot;"].iter().any(|e| part.starts_with(e));
        assert!(known, "a bare ampersand: &{part:.20}");
    }
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}
