//! A snapshot as a grid for spreadsheets: a row for each dma-buf, two columns for each process.
//!
//! A spreadsheet takes a cell that begins with `=`, `+`, `-` or `@` for a formula, so names that do get an apostrophe in front.

use super::model::Snapshot;
use crate::escape;

/// The columns before those of the processes.
const COLUMNS: [&str; 5] = ["inode", "size", "exporter", "name", "refs"];

/// The grid as CSV, with a head.
///
/// # Errors
/// None that writing to memory could give.
pub fn grid(snapshot: &Snapshot) -> Result<Vec<u8>, csv::Error> {
    let has = |pid: u32| snapshot.buffers.iter().flat_map(|b| &b.holders).any(|h| h.pid == pid && h.holds());
    let processes: Vec<_> = snapshot.processes.iter().filter(|p| has(p.pid)).collect();
    let mut out = csv::Writer::from_writer(Vec::new());
    let mut head: Vec<String> = COLUMNS.map(str::to_owned).to_vec();
    for process in &processes {
        let name = cell(&process.process);
        head.push(format!("{name}({}) fds", process.pid));
        head.push(format!("{name}({}) maps", process.pid));
    }
    out.write_record(&head)?;
    for buffer in &snapshot.buffers {
        let text = |text: &Option<String>| text.as_deref().map(cell).unwrap_or_default();
        let mut row = vec![
            buffer.inode.to_string(),
            buffer.bytes.to_string(),
            text(&buffer.exporter),
            text(&buffer.name),
            buffer.references.total.map(|n| n.to_string()).unwrap_or_default(),
        ];
        for process in &processes {
            let holder = buffer.holders.iter().find(|h| h.pid == process.pid);
            row.push(holder.map_or(0, |h| h.fds.len()).to_string());
            row.push(holder.map_or(0, |h| h.mappings).to_string());
        }
        out.write_record(&row)?;
    }
    out.into_inner().map_err(|e| e.into_error().into())
}

/// A name that no terminal obeys and no spreadsheet computes.
fn cell(name: &str) -> String {
    let text = escape::name(name.as_bytes());
    // Some look behind blanks, and take the wide forms of these for them.
    let first = text.trim_start().chars().next();
    match first {
        Some('=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠') => format!("'{text}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_text() {
        for name in ["=cmd|'/c calc'!A1", "+1", "-1", "@SUM(A1)", " =1", "＝1"] {
            assert_eq!(cell(name), format!("'{name}"));
        }
        assert_eq!(cell("\t=1"), "\\t=1");
        assert_eq!(cell("a=b"), "a=b");
        assert_eq!(cell(""), "");
    }
}
