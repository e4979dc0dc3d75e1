//! Reads captures: files of Kafka records, one per line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cdc::CapturedRecord;
use flate2::bufread::MultiGzDecoder;
use sha2::{Digest, Sha256};

use crate::language::{say, translated};

/// A capture: records in the order they arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture {
    /// What the source is called where progress is kept: the file's name and a fingerprint of its records.
    /// Positions repeat across captures, so each is a source of its own; the same content is the same source again.
    pub source: String,
    /// The records.
    pub records: Vec<CapturedRecord>,
}

impl Capture {
    /// Reads a capture from a file, or from standard input where the path is `-`.
    pub fn read(path: &Path) -> Result<Self> {
        if path == Path::new("-") {
            let parsed = Self::parse("standard-input", io::stdin().lock());
            return parsed.context(say("cannot read standard input", "无法读取标准输入"));
        }
        let name = path.file_stem().map_or_else(|| "capture".into(), |stem| stem.to_string_lossy());
        let shown = path.display();
        let file = File::open(path).map_err(|error| {
            let is_missing = error.kind() == ErrorKind::NotFound;
            let similar = if is_missing { similar_file(path) } else { String::new() };
            anyhow::Error::new(error).context(say(
                format!("cannot open the capture {shown}{similar}"),
                format!("无法打开捕获文件 {shown}{similar}"),
            ))
        })?;
        Self::parse(&name, file).with_context(|| {
            say(format!("cannot read the capture {shown}"), format!("无法读取捕获文件 {shown}"))
        })
    }

    /// Reads a capture from bytes, which may be compressed by `gzip`, also in several parts one after another.
    pub fn parse(name: &str, content: impl Read) -> Result<Self> {
        let mut content = BufReader::new(content);
        let beginning = content.fill_buf()?;
        if beginning.starts_with(GZIP) {
            return Self::parse_lines(name, BufReader::new(MultiGzDecoder::new(content)));
        }
        let other = OTHERS.iter().find(|(mark, ..)| beginning.starts_with(mark));
        if let Some((_, format, command)) = other {
            bail!(say(
                format!("this is {format}, which is not read; make text of it first: {command}"),
                format!("这是 {format}，无法直接读取；请先转成文本：{command}")
            ));
        }
        Self::parse_lines(name, content)
    }

    fn parse_lines(name: &str, mut reader: impl BufRead) -> Result<Self> {
        let mut records = Vec::new();
        let mut digest = Sha256::new();
        let mut line = String::new();
        for number in 1_usize.. {
            line.clear();
            let read = reader.read_line(&mut line).map_err(|error| match error.kind() {
                ErrorKind::InvalidData => {
                    anyhow!(say(
                        format!("line {number} is not UTF-8 text; write the capture as UTF-8"),
                        format!("第 {number} 行不是 UTF-8 文本；捕获文件请用 UTF-8 编码")
                    ))
                }
                _ => anyhow!(say(
                    format!("line {number} cannot be read: {error}"),
                    format!("第 {number} 行无法读取：{}", translated(&error.to_string()))
                )),
            });
            if read? == 0 {
                break;
            }
            let record = CapturedRecord::from_line(&line)
                .map_err(|error| with_the_way_to_unfold(error.into(), &line))
                .with_context(|| say(format!("line {number}"), format!("第 {number} 行")))?;
            if let Some(record) = record {
                digest.update(line.trim().as_bytes());
                records.push(record);
            }
        }
        let (english, chinese) = (
            "the values are base64, as a dump of events of MSK has them. ",
            "内容为 base64 编码，即 MSK 事件的转储。",
        );
        ensure!(!is_encoded(&records), "{}{}", say(english, chinese), unfolding("."));
        let digest = digest.finalize();
        let fingerprint = digest.iter().take(4).fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
        Ok(Self { source: format!("{name}-{fingerprint:08x}"), records })
    }
}

/// How many values are looked at to tell that they are encoded.
const VALUES_LOOKED_AT: usize = 20;

/// Returns whether the values are JSON that was written as base64.
fn is_encoded(records: &[CapturedRecord]) -> bool {
    let is_json = |value: &String| {
        let bytes = STANDARD.decode(value);
        bytes.is_ok_and(|bytes| bytes.first() == Some(&b'{'))
    };
    let mut values =
        records.iter().filter_map(|record| record.value.as_ref()).take(VALUES_LOOKED_AT).peekable();
    values.peek().is_some() && values.all(is_json)
}

/// Returns the error; where the line is an event of MSK as a function gets it, with how to make records of it.
fn with_the_way_to_unfold(error: anyhow::Error, line: &str) -> anyhow::Error {
    if line.contains("\"aws:kafka\"") || line.contains("\"SelfManagedKafka\"") {
        let (english, chinese) = (
            "the line is an event that Kafka's trigger hands to a function, not a record. ",
            "该行是 Kafka 触发器交给函数的事件，而不是记录。",
        );
        return anyhow!("{}{}", say(english, chinese), unfolding(".records[][]"));
    }
    error
}

/// Returns how to make records of what has them at this path of `jq`.
fn unfolding(path: &str) -> String {
    let decoded = |name: &str| format!(".{name} |= (if . then @base64d else . end)");
    let command = format!("jq -c '{path} | {} | {}' DUMP > CAPTURE", decoded("key"), decoded("value"));
    say(format!("Decode keys and values first: {command}"), format!("请先解码键和值：{command}"))
}

/// What a file that `gzip` wrote begins with.
const GZIP: &[u8] = &[0x1F, 0x8B];

/// What files of other formats begin with, how these are called, and what makes text of them.
const OTHERS: [(&[u8], &str, &str); 6] = [
    (&[0x28, 0xB5, 0x2F, 0xFD], "zstd", "zstd -dc FILE > CAPTURE"),
    (b"BZh", "bzip2", "bzip2 -dc FILE > CAPTURE"),
    (&[0xFD, b'7', b'z', b'X', b'Z'], "xz", "xz -dc FILE > CAPTURE"),
    (b"PK\x03\x04", "zip", "unzip -p FILE > CAPTURE"),
    (&[0xFF, 0xFE], "UTF-16", "iconv -f UTF-16 -t UTF-8 FILE > CAPTURE"),
    (&[0xFE, 0xFF], "UTF-16", "iconv -f UTF-16 -t UTF-8 FILE > CAPTURE"),
];

/// Returns `; did you mean X?` where the directory has a file with a name close to that of `path`.
fn similar_file(path: &Path) -> String {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Some(name) = path.file_name().map(|name| name.to_string_lossy()) else { return String::new() };
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    crate::suggestion(&name, names.iter().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    #[test]
    fn a_compressed_capture_is_read_to_the_end_of_its_last_part() {
        let line = |offset| {
            format!(
                r#"{{"topic":"t","partition":0,"offset":{offset},"timestamp":5,"key":null,"value":null}}"#
            )
        };
        let compressed = |lines: &str| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(lines.as_bytes()).unwrap();
            encoder.finish().unwrap()
        };
        let (first, second) = (format!("{}\n", line(1)), format!("{}\n", line(2)));
        let expected = Capture::parse("c", format!("{first}{second}").as_bytes()).unwrap();
        let parts = [compressed(&first), compressed(&second)].concat();
        assert_eq!(Capture::parse("c", parts.as_slice()).unwrap(), expected);

        let cut = &parts[..parts.len() - 12];
        let message = format!("{:#}", Capture::parse("c", cut).unwrap_err());
        assert!(message.contains("line 2 cannot be read"), "{message}");
    }

    #[test]
    fn a_file_of_another_format_is_refused_by_its_name_with_what_makes_text_of_it() {
        let utf_16: Vec<u8> = "\u{feff}{}".encode_utf16().flat_map(u16::to_le_bytes).collect();
        for (bytes, format, program) in [
            (&b"\x28\xB5\x2F\xFD\0"[..], "zstd", "zstd -dc"),
            (b"BZh91AY", "bzip2", "bzip2 -dc"),
            (b"\xFD7zXZ\0", "xz", "xz -dc"),
            (b"PK\x03\x04\x14", "zip", "unzip -p"),
            (&utf_16, "UTF-16", "iconv"),
        ] {
            let refused = Capture::parse("c", bytes).unwrap_err().to_string();
            assert!(refused.contains(format) && refused.contains(program), "{refused}");
        }
    }

    #[test]
    fn the_same_records_are_the_same_source_and_others_are_another() {
        let line = |offset| {
            format!(
                r#"{{"topic":"t","partition":0,"offset":{offset},"timestamp":5,"key":null,"value":null}}"#
            )
        };
        let parse = |lines: &[String]| Capture::parse("c", lines.join("\n").as_bytes()).unwrap();
        let capture = parse(&[line(1), String::new(), line(2)]);
        assert_eq!(capture.records.len(), 2);
        assert_eq!(capture.source, parse(&[line(1), line(2)]).source);
        assert_ne!(capture.source, parse(&[line(1), line(3)]).source);
    }

    #[test]
    fn a_dump_of_events_of_msk_is_answered_with_how_to_decode_it() {
        let refused = |text: String| format!("{:#}", Capture::parse("c", text.as_bytes()).unwrap_err());
        let encoded = STANDARD.encode(r#"{"order_id":1}"#);
        let record = format!(
            r#"{{"topic":"t","partition":0,"offset":1,"timestamp":5,"key":null,"value":"{encoded}"}}"#
        );
        let message = refused(format!("{record}\n{record}\n"));
        assert!(message.contains("base64") && message.contains("jq -c '. |"), "{message}");
        let message = refused(format!(r#"{{"eventSource":"aws:kafka","records":{{"t-0":[{record}]}}}}"#));
        assert!(message.contains("line 1") && message.contains("jq -c '.records[][] |"), "{message}");
        let plain = record.replace(&encoded, "{}");
        assert!(
            Capture::parse("c", format!("{record}\n{plain}\n").as_bytes()).is_ok(),
            "only where all of them are"
        );
    }

    #[test]
    fn a_line_that_is_no_record_is_named_by_its_number_and_says_what_is_missing() {
        let error = Capture::parse("c", "\n{\"topic\":\"t\",\"partition\":0,\"value\":null}\n".as_bytes())
            .unwrap_err();
        let message = format!("{error:#}");
        assert!(message.contains("line 2") && message.contains("`offset`"), "{message}");
    }
}
