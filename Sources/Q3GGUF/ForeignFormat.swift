// Recognizes files that are not GGUF by their first bytes, so that an error can say what to do about them.

/// What a file that does not begin with "GGUF" seems to be.
public enum ForeignFormat: String, Sendable, Equatable {
    /// The text that Git LFS leaves in place of a file.
    case gitLFSPointer = "it is a Git LFS pointer, the model itself was not downloaded; run `git lfs pull`"
    /// A web page.
    case html = "it is a web page, probably an error page saved in place of the download; download it again"
    /// A format before GGUF.
    case oldGGML = "it is an old GGML file; get or convert the model again as GGUF"
    /// A safetensors file.
    case safetensors = "it is a safetensors file; convert it to GGUF first"
    /// A zip archive, as PyTorch writes.
    case zip = "it is a zip archive (perhaps PyTorch weights); unpack it or convert it to GGUF"
    /// gzip-compressed.
    case gzip = "it is gzip-compressed; unpack it first"
    /// None of these.
    case unknown = "it does not begin with \"GGUF\"; check that this is the model file"

    /// Guesses from the first bytes of a file.
    package init(prefix: [UInt8]) {
        let text = prefix.drop { $0 == 0x20 || 0x09...0x0D ~= $0 }.map { 0x41...0x5A ~= $0 ? $0 | 0x20 : $0 }
        self =
            if text.starts(with: "version https://git-lfs".utf8) {
                .gitLFSPointer
            } else if text.starts(with: "<!doctype".utf8) || text.starts(with: "<html".utf8) {
                .html
            } else if ["lmgg", "fmgg", "tjgg", "algg"].contains(where: { prefix.starts(with: $0.utf8) }) {
                .oldGGML
            } else if prefix.starts(with: "PK\u{3}\u{4}".utf8) {
                .zip
            } else if prefix.starts(with: [0x1F, 0x8B]) {
                .gzip
            } else if prefix.count > 8, prefix[8] == UInt8(ascii: "{"), prefix[5] == 0, prefix[6] == 0, prefix[7] == 0 {
                .safetensors  // eight bytes of header length, then JSON
            } else {
                .unknown
            }
    }
}
