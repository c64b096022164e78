// Files cut, flipped and scrambled: every one is refused or opens with all its parts inside the file; none traps.

import TestSupport
import Testing

@testable import Q3GGUF

@Suite struct DamageTests {
    @Test func `a file cut at any byte is refused`() throws {
        let scratch = try ScratchFile()
        let bytes = RawFile.tiny.bytes
        for count in 0..<bytes.count {
            let error = scratch.errorOfOpening(Array(bytes[..<count]))
            let expected = count == 0 ? "empty" : count < RawFile.tiny.headerBytes.count ? "truncated" : "outOfFile"
            #expect(error?.caseName == expected, "cut to \(count) bytes")
        }
        #expect(try errorOfOpening(bytes) == nil)
    }

    @Test func `a truncated file is named by its byte`() throws {
        let header = RawFile.tiny.headerBytes
        #expect(
            try errorOfOpening(Array(header.dropLast(3)))
                == .truncated(what: "the data offset of c", at: header.count - 8, expected: 8, available: 5))
        #expect(
            try errorOfOpening(Array(header.prefix(6)))
                == .truncated(what: "the version", at: 4, expected: 4, available: 2))
    }

    @Test func `a header with any bit flipped is refused or read`() throws {
        let scratch = try ScratchFile()
        let bytes = RawFile.tiny.bytes
        var refused = 0
        for bit in 0..<RawFile.tiny.headerBytes.count * 8 {
            var flipped = bytes
            flipped[bit / 8] ^= 1 << (bit % 8)
            if scratch.errorOfOpening(flipped) != nil { refused += 1 }
        }
        #expect(refused > RawFile.tiny.headerBytes.count * 3)
    }

    /// A hundred thousand in all.
    @Test(arguments: UInt64(1)...20) func `random changes never end the process`(_ seed: UInt64) throws {
        let scratch = try ScratchFile()
        var random = SeededGenerator(seed: seed)
        let edges: [UInt8] = [0, 1, 0x7F, 0x80, 0xFF]
        for _ in 0..<5000 {
            var bytes = RawFile.tiny.bytes
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let position = Int.random(in: 4..<bytes.count, using: &random)
                switch Int.random(in: 0...3, using: &random) {
                case 0: bytes[position] = edges.randomElement(using: &random) ?? 0
                case 1: bytes.remove(at: position)
                case 2: bytes.insert(UInt8.random(in: 0...255, using: &random), at: position)
                default:  // an extreme number over eight bytes
                    let number = (UInt64.max >> UInt64.random(in: 0...63, using: &random)) &+ random.next() % 3
                    let end = min(position + 8, bytes.count)
                    bytes.replaceSubrange(position..<end, with: encoded(number).prefix(end - position))
                }
            }
            _ = scratch.errorOfOpening(bytes)  // returns: it did not trap
        }
    }

    private static let foreignFiles: [(bytes: [UInt8], format: ForeignFormat)] = [
        (Array("version https://git-lfs.github.com/spec/v1\noid sha256:0".utf8), .gitLFSPointer),
        (Array("<!DOCTYPE html><html>".utf8), .html), (Array("\n <HTML lang=en>".utf8), .html),
        (Array("lmgg0000".utf8), .oldGGML), (Array("tjgg\u{3}000".utf8), .oldGGML),
        (Array("fmgg\u{1}000".utf8), .oldGGML), (Array("algg\u{1}000".utf8), .oldGGML),
        ([0x40, 0x10, 0, 0, 0, 0, 0, 0] + Array("{\"__metadata__\":".utf8), .safetensors),
        (Array("PK\u{3}\u{4}xxxx".utf8), .zip), ([0x1F, 0x8B, 8, 0], .gzip),
        ([0], .unknown), (Array("GGUx".utf8), .unknown), (Array("0000000GGUF".utf8), .unknown),
    ]

    @Test(arguments: foreignFiles.indices) func `foreign files get a hint`(_ index: Int) throws {
        let (bytes, format) = Self.foreignFiles[index]
        #expect(try errorOfOpening(bytes) == .notGGUF(format))
    }
}
