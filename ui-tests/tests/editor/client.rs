//! A client of a language server, as far as the tests go: JSON over pipes, one request after the other.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// How long an answer may take, and how long the workspace may take to be loaded.
const PATIENCE: Duration = Duration::from_secs(600);
/// The server is idle when it has said nothing about its work for so long.
const IDLE: Duration = Duration::from_millis(400);

/// A running rust-analyzer that has loaded this workspace.
pub(crate) struct Server {
    child: Child,
    input: ChildStdin,
    messages: Receiver<Value>,
    count: u64,
    root: PathBuf,
    config: Value,
    quiescent: bool,
    busy: Vec<String>,
    spoke: Instant,
    /// The versions of the documents that are open.
    open: Vec<(String, u64)>,
}

/// A document as the editor has it.
pub(crate) struct Document {
    uri: String,
    pub(crate) text: String,
}

/// What is wrong with a document.
#[derive(Debug)]
pub(crate) struct Diagnostic {
    /// 1 is an error, 2 a warning.
    pub(crate) severity: u64,
    pub(crate) message: String,
    /// The offset of its first byte.
    pub(crate) start: usize,
}

/// What may be written at a place.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) label: String,
    /// Its type, or the signature.
    pub(crate) detail: String,
    pub(crate) insert: String,
}

impl Server {
    /// The server that the environment names, or what is missing.
    pub(crate) fn start() -> Result<Server, String> {
        let program = std::env::var("RUST_ANALYZER").unwrap_or_else(|_| "rust-analyzer".to_string());
        let version =
            Command::new(&program).arg("--version").output().map_err(|e| format!("{program}: {e}"))?;
        if !version.status.success() {
            return Err(format!("{program}: {}", String::from_utf8_lossy(&version.stderr).trim()));
        }
        // Without the sources of the library it would install them by itself, which is not a test's to do.
        let sources = library_sources()?;
        let root =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().map_err(|e| e.to_string())?;
        let config = json!({
            "checkOnSave": false,
            "cargo": { "buildScripts": { "enable": true }, "sysrootSrc": sources },
            "procMacro": { "enable": true, "attributes": { "enable": true } },
            "diagnostics": { "enable": true, "experimental": { "enable": false } },
        });
        let mut child = Command::new(&program)
            .current_dir(&root)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| format!("{program}: {e}"))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(format!("{program} has no pipes"));
        };
        let (send, messages) = channel();
        std::thread::spawn(move || {
            let mut output = BufReader::new(output);
            while let Some(message) = read(&mut output) {
                if send.send(message).is_err() {
                    return;
                }
            }
        });
        let mut server = Server {
            child,
            input,
            messages,
            count: 0,
            root,
            config,
            quiescent: false,
            busy: Vec::new(),
            spoke: Instant::now(),
            open: Vec::new(),
        };
        println!("{}", String::from_utf8_lossy(&version.stdout).trim());
        server.initialize();
        server.wait();
        Ok(server)
    }

    fn initialize(&mut self) {
        let root = uri(&self.root);
        let parameters = json!({
            "processId": std::process::id(),
            "rootUri": root,
            "workspaceFolders": [{ "uri": root, "name": "mxr" }],
            "initializationOptions": self.config,
            "capabilities": {
                "general": { "positionEncodings": ["utf-8"] },
                "window": { "workDoneProgress": true },
                "workspace": { "configuration": true },
                "textDocument": {
                    "hover": { "contentFormat": ["markdown"] },
                    "diagnostic": {},
                    "completion": { "completionItem": { "snippetSupport": false, "labelDetailsSupport": true } },
                    "documentSymbol": { "hierarchicalDocumentSymbolSupport": true },
                },
                "experimental": { "serverStatusNotification": true },
            },
        });
        self.request("initialize", &parameters);
        self.send(&json!({ "jsonrpc": "2.0", "method": "initialized", "params": {} }));
    }

    /// The text of a file of the workspace.
    pub(crate) fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.root.join(file)).unwrap_or_else(|e| panic!("{file}: {e}"))
    }

    /// Files of a folder of the workspace, by name.
    pub(crate) fn files(&self, folder: &str) -> Vec<String> {
        let list = std::fs::read_dir(self.root.join(folder)).unwrap_or_else(|e| panic!("{folder}: {e}"));
        let names = list.map(|f| f.expect("a readable folder").file_name().to_string_lossy().to_string());
        let mut files: Vec<String> =
            names.filter(|n| n.ends_with(".rs")).map(|n| format!("{folder}/{n}")).collect();
        files.sort();
        files
    }

    /// Opens a file with this text, or changes it, and waits until the server has nothing to do.
    pub(crate) fn edit(&mut self, file: &str, text: &str) -> Document {
        let uri = uri(&self.root.join(file));
        let message = match self.open.iter_mut().find(|(u, _)| *u == uri) {
            Some((_, version)) => {
                *version += 1;
                json!({ "jsonrpc": "2.0", "method": "textDocument/didChange", "params": {
                    "textDocument": { "uri": uri, "version": version },
                    "contentChanges": [{ "text": text }],
                } })
            }
            None => {
                self.open.push((uri.clone(), 1));
                json!({ "jsonrpc": "2.0", "method": "textDocument/didOpen", "params": {
                    "textDocument": { "uri": uri, "languageId": "rust", "version": 1, "text": text },
                } })
            }
        };
        self.send(&message);
        self.wait();
        Document { uri, text: text.to_string() }
    }

    /// The faults that the server finds by itself.
    pub(crate) fn diagnostics(&mut self, document: &Document) -> Vec<Diagnostic> {
        let answer =
            self.request("textDocument/diagnostic", &json!({ "textDocument": { "uri": document.uri } }));
        let items = answer["items"].as_array().unwrap_or_else(|| panic!("no diagnostics: {answer}"));
        let item = |d: &Value| Diagnostic {
            severity: d["severity"].as_u64().unwrap_or(1),
            message: d["message"].as_str().unwrap_or_default().to_string(),
            start: document.offset(&d["range"]["start"]),
        };
        items.iter().map(item).collect()
    }

    /// What is shown for the word at a place; empty where nothing is.
    pub(crate) fn hover(&mut self, document: &Document, at: &str) -> String {
        let answer = self.request("textDocument/hover", &document.at(at));
        answer["contents"]["value"].as_str().unwrap_or_default().to_string()
    }

    /// What is offered at a place, the best first, and how long that took.
    pub(crate) fn complete(&mut self, document: &Document, at: &str) -> (Vec<Item>, Duration) {
        let mut parameters = document.at(at);
        parameters["context"] = json!({ "triggerKind": 1 });
        let start = Instant::now();
        let answer = self.request("textDocument/completion", &parameters);
        let took = start.elapsed();
        let list = answer["items"].as_array().or(answer.as_array()).cloned().unwrap_or_default();
        let text = |v: &Value| v.as_str().unwrap_or_default().to_string();
        let mut items: Vec<(String, Item)> = list
            .iter()
            .map(|i| {
                let details = &i["labelDetails"]["description"];
                let detail = if details.is_string() { text(details) } else { text(&i["detail"]) };
                (
                    text(&i["sortText"]),
                    Item { label: text(&i["label"]), detail, insert: text(&i["textEdit"]["newText"]) },
                )
            })
            .collect();
        items.sort_by(|a, b| a.0.cmp(&b.0));
        (items.into_iter().map(|(_, item)| item).collect(), took)
    }

    /// Where the definitions of the word at a place are: file name and the line from there.
    pub(crate) fn definitions(&mut self, document: &Document, at: &str) -> Vec<String> {
        let answer = self.request("textDocument/definition", &document.at(at));
        let one = |l: &Value| {
            let link = l["targetUri"].is_string();
            let (uri, range) = if link { ("targetUri", "targetSelectionRange") } else { ("uri", "range") };
            let name = l[uri].as_str().unwrap_or_default().to_string();
            if name == document.uri {
                return document.line(document.offset(&l[range]["start"]));
            }
            name.rsplit('/').next().unwrap_or_default().to_string()
        };
        answer.as_array().map(|list| list.iter().map(one).collect()).unwrap_or_default()
    }

    /// The document after the word at a place has been given another name.
    pub(crate) fn rename(&mut self, document: &Document, at: &str, new: &str) -> String {
        let mut parameters = document.at(at);
        parameters["newName"] = json!(new);
        let answer = self.request("textDocument/rename", &parameters);
        let edits = match answer["changes"][&document.uri].as_array() {
            Some(edits) => edits.clone(),
            None => answer["documentChanges"]
                .as_array()
                .into_iter()
                .flatten()
                .flat_map(|c| c["edits"].as_array().cloned().unwrap_or_default())
                .collect(),
        };
        let mut places: Vec<(usize, usize)> = edits
            .iter()
            .map(|e| (document.offset(&e["range"]["start"]), document.offset(&e["range"]["end"])))
            .collect();
        places.sort_unstable();
        let mut text = document.text.clone();
        for (start, end) in places.into_iter().rev() {
            text.replace_range(start..end, new);
        }
        text
    }

    /// The names in the outline, those within others too.
    pub(crate) fn outline(&mut self, document: &Document) -> Vec<String> {
        fn names(list: &Value, out: &mut Vec<String>) {
            for s in list.as_array().into_iter().flatten() {
                out.extend(s["name"].as_str().map(str::to_string));
                names(&s["children"], out);
            }
        }
        let answer =
            self.request("textDocument/documentSymbol", &json!({ "textDocument": { "uri": document.uri } }));
        let mut out = Vec::new();
        names(&answer, &mut out);
        out
    }

    fn request(&mut self, method: &str, parameters: &Value) -> Value {
        loop {
            self.count += 1;
            let id = self.count;
            self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": parameters }));
            let end = Instant::now() + PATIENCE;
            let answer = loop {
                let message = self.receive(end.saturating_duration_since(Instant::now()));
                let message = message.unwrap_or_else(|| panic!("no answer to {method}"));
                if message["id"] == json!(id) && message["method"].is_null() {
                    break message;
                }
            };
            match answer["error"]["code"].as_i64() {
                None => return answer["result"].clone(),
                // Something changed in between.
                Some(-32802..=-32800) => std::thread::sleep(IDLE),
                Some(_) => panic!("{method}: {}", answer["error"]),
            }
        }
    }

    fn send(&mut self, message: &Value) {
        let text = message.to_string();
        write!(self.input, "Content-Length: {}\r\n\r\n{text}", text.len()).expect("the server reads");
        self.input.flush().expect("the server reads");
    }

    /// The next message, after what the server asks and says of itself has been seen to.
    fn receive(&mut self, patience: Duration) -> Option<Value> {
        let message = match self.messages.recv_timeout(patience) {
            Ok(message) => message,
            Err(RecvTimeoutError::Timeout) => return None,
            Err(RecvTimeoutError::Disconnected) => {
                panic!("the server has ended: {:?}", self.child.try_wait())
            }
        };
        let parameters = &message["params"];
        match message["method"].as_str() {
            Some("workspace/configuration") => {
                let items = parameters["items"].as_array().map_or(0, Vec::len);
                let result = vec![self.config.clone(); items];
                self.send(&json!({ "jsonrpc": "2.0", "id": message["id"], "result": result }));
            }
            Some("experimental/serverStatus") => {
                self.quiescent = parameters["quiescent"].as_bool().unwrap_or(false);
                self.spoke = Instant::now();
                if parameters["health"] == "error" {
                    panic!("the server could not load the workspace: {parameters}");
                }
            }
            Some("$/progress") => {
                let token = parameters["token"].to_string();
                self.spoke = Instant::now();
                match parameters["value"]["kind"].as_str() {
                    Some("begin") => self.busy.push(token),
                    Some("end") => self.busy.retain(|t| *t != token),
                    _ => {}
                }
            }
            Some(_) if !message["id"].is_null() => {
                self.send(&json!({ "jsonrpc": "2.0", "id": message["id"], "result": null }));
            }
            _ => {}
        }
        Some(message)
    }

    /// Until the server has loaded what it needs.
    fn wait(&mut self) {
        let end = Instant::now() + PATIENCE;
        while !(self.quiescent && self.busy.is_empty() && self.spoke.elapsed() > IDLE) {
            assert!(Instant::now() < end, "the server is not ready after {PATIENCE:?}");
            self.receive(IDLE / 4);
        }
    }
}

impl Document {
    /// The parameters that name a place, which is given by the text around it with `|` in front of the character.
    fn at(&self, place: &str) -> Value {
        let (before, after) = place.split_once('|').unwrap_or(("", place));
        let found = self.text.find(&format!("{before}{after}"));
        let at = found.unwrap_or_else(|| panic!("no `{place}` in\n{}", self.text)) + before.len();
        let line = self.text[..at].matches('\n').count();
        let column = at - self.text[..at].rfind('\n').map_or(0, |n| n + 1);
        json!({ "textDocument": { "uri": self.uri }, "position": { "line": line, "character": column } })
    }

    fn offset(&self, position: &Value) -> usize {
        let line = position["line"].as_u64().unwrap_or(0) as usize;
        let start = self.text.match_indices('\n').map(|(at, _)| at + 1).nth(line.wrapping_sub(1));
        let start = if line == 0 { 0 } else { start.unwrap_or(self.text.len()) };
        start + position["character"].as_u64().unwrap_or(0) as usize
    }

    /// The rest of the line from an offset.
    fn line(&self, at: usize) -> String {
        self.text[at..].lines().next().unwrap_or_default().to_string()
    }
}

fn uri(path: &Path) -> String {
    format!("file://{}", path.display())
}

fn library_sources() -> Result<PathBuf, String> {
    if let Ok(given) = std::env::var("RA_SYSROOT_SRC") {
        let given = PathBuf::from(given);
        return if given.is_dir() {
            Ok(given)
        } else {
            Err(format!("RA_SYSROOT_SRC: no folder {}", given.display()))
        };
    }
    let output = Command::new("rustc").args(["--print", "sysroot"]).output().map_err(|e| e.to_string())?;
    let sysroot = String::from_utf8_lossy(&output.stdout).trim().to_string();
    let sources = Path::new(&sysroot).join("lib/rustlib/src/rust/library");
    match sources.is_dir() {
        true => Ok(sources),
        false => Err("the sources of the standard library are missing: `rustup component add rust-src`, or RA_SYSROOT_SRC".to_string()),
    }
}

/// One message; `None` at the end.
fn read(output: &mut impl BufRead) -> Option<Value> {
    let mut length = None;
    loop {
        let mut line = String::new();
        if output.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim();
        if line.is_empty() {
            break;
        }
        let header = line.to_ascii_lowercase();
        length = header.strip_prefix("content-length:").and_then(|n| n.trim().parse().ok()).or(length);
    }
    let mut text = vec![0; length?];
    output.read_exact(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}
