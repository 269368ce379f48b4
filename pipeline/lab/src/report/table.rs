//! Tables of a page: whatever is put into a cell is escaped, and they can be read by ear.

use andon_schemas::grade::Grade;

use super::escape::html;

/// What stands in a cell.
#[derive(Clone, Debug)]
pub(super) enum Cell {
    /// Words.
    Text(String),
    /// A number with its unit, set to the right.
    Number(String),
    /// A grade by its shape, its colour and its name; nothing for none.
    Grade(Option<Grade>),
    /// Something to look at twice.
    Alarm(String),
}

pub(super) fn words(text: impl Into<String>) -> Cell {
    Cell::Text(text.into())
}

pub(super) fn number(text: impl Into<String>) -> Cell {
    Cell::Number(text.into())
}

/// A table in the making.
#[derive(Debug)]
pub(super) struct Table {
    html: String,
    rows: usize,
}

impl Table {
    /// A table with a caption, and with the heads of its columns. A head that begins with `#` stands
    /// over numbers.
    pub(super) fn new(caption: &str, heads: &[&str]) -> Self {
        let heads: Vec<String> = heads
            .iter()
            .map(|head| match head.strip_prefix('#') {
                Some(head) => format!("<th scope=\"col\" class=\"number\">{}</th>", html(head)),
                None => format!("<th scope=\"col\">{}</th>", html(head)),
            })
            .collect();
        let caption = html(caption);
        Self {
            html: format!(
                "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"{caption}\">\
                 <table><caption>{caption}</caption><thead><tr>{}</tr></thead><tbody>",
                heads.concat()
            ),
            rows: 0,
        }
    }

    /// Adds a row; its first cell names it.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.html.push_str("<tr>");
        for (at, cell) in cells.into_iter().enumerate() {
            self.html.push_str(&cell_html(&cell, at == 0));
        }
        self.html.push_str("</tr>\n");
        self.rows += 1;
    }

    /// Adds a row that ends in a bar, as long as this share of its column.
    pub(super) fn bar(&mut self, cells: impl IntoIterator<Item = Cell>, share: f64) {
        self.row(cells);
        let bar = format!(
            "<td class=\"share\"><svg viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" \
             aria-hidden=\"true\"><rect width=\"{:.1}\" height=\"10\"/></svg></td></tr>\n",
            share.clamp(0.0, 1.0) * 100.0
        );
        let end = self.html.len() - "</tr>\n".len();
        self.html.truncate(end);
        self.html.push_str(&bar);
    }

    /// Whether no row was added.
    pub(super) fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The table.
    pub(super) fn done(self) -> String {
        format!("{}</tbody></table></div>\n", self.html)
    }
}

fn cell_html(cell: &Cell, is_head: bool) -> String {
    let (class, content) = match cell {
        Cell::Text(text) => ("", html(text)),
        Cell::Number(text) => (" class=\"number\"", html(text)),
        Cell::Grade(grade) => ("", grade.map_or_else(|| "–".to_owned(), mark)),
        Cell::Alarm(text) => (" class=\"look\"", html(text)),
    };
    if is_head {
        format!("<th scope=\"row\"{class}>{content}</th>")
    } else {
        format!("<td{class}>{content}</td>")
    }
}

/// A grade by its shape, its colour and its name.
pub(super) fn mark(grade: Grade) -> String {
    let class = grade.as_str().to_lowercase();
    format!(
        "<span class=\"grade {class}\"><svg class=\"lamp\" aria-hidden=\"true\">\
         <use href=\"#lamp-{class}\"/></svg>{grade}</span>"
    )
}
