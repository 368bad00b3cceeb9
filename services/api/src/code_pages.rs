//! The pages of `docs/operate/codes`, in the program: what each code means, why it happens and what to do.
//!
//! Invariant: each code has one, which a test of `tests/tidy` holds for the folder.

/// The folder as it was when the program was built.
#[derive(rust_embed::Embed)]
#[folder = "../../docs/operate/codes"]
struct Pages;

/// The page of one code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodePage {
    /// What the code means, in a sentence.
    pub title: String,
    /// The whole page.
    pub markdown: String,
}

/// The page of a code such as `certificate_mismatch` or `IOTDA.014301`; `None` of what is no code.
pub fn code_page(code: &str) -> Option<CodePage> {
    // The index of the folder is of no code.
    let is_code = code != "README" && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.".contains(&byte));
    let page = is_code.then(|| Pages::get(&format!("{code}.md"))).flatten()?;
    let markdown = String::from_utf8(page.data.into_owned()).ok()?;
    let title = markdown.lines().skip(1).find(|line| !line.is_empty()).unwrap_or_default().to_owned();
    Some(CodePage { title, markdown })
}
