// Files that claim enormous things: refused or opened without a piece of memory for what they claim.

import FoundationEssentials
import Q3System
import TestSupport
import Testing

@testable import Q3GGUF

@Suite struct SizeTests {
    /// Each in a process of its own that ends if it asks for more than 64 MiB of memory.
    @Test func `counts are refused before anything is allocated`() async {
        await #expect(processExitsWith: .success) {
            let scratch = try ScratchFile()
            limitMemory(toMore: 64 << 20)
            for count: UInt64 in [1 << 17, 1 << 31, 1 << 32, 1 << 61, 1 << 62, 1 << 63 - 1, .max] {
                var (tensors, pairs) = (RawFile.tiny, RawFile.tiny)
                tensors.tensorCount = count
                pairs.pairCount = count
                #expect(try scratch.errorOfOpening(tensors.bytes)?.caseName == "tooMany")
                #expect(try scratch.errorOfOpening(pairs.bytes)?.caseName == "tooMany")
                for type in [ValueType.uint8, .uint64, .string] {
                    var file = RawFile.tiny
                    file.setPair("empty", 9, array(type, count, []))
                    let error = try scratch.errorOfOpening(file.bytes)?.caseName
                    #expect(["tooMany", "truncated"].contains(error), "\(count) of \(type)")
                }
                var file = RawFile.tiny
                file.setPair("general.architecture", 8, encoded(count))
                let error = try scratch.errorOfOpening(file.bytes)?.caseName
                #expect(["tooMany", "truncated"].contains(error), "a string of \(count)")
            }
        }
    }

    /// Holes of 256 MiB: strings nobody asked for, numbers, and a string longer than any in use.
    @Test func `huge values are skipped in place`() async {
        await #expect(processExitsWith: .success) {
            let folder = try TemporaryFolder()
            let size = 256 << 20
            func sparse(_ value: [UInt8], _ type: ValueType = .array) throws -> String {
                var file = RawFile()
                file.pairs = [.init("unknown", type, value)]
                let path = try folder.write(file.bytes)
                #expect(unsafe truncate(path, file.bytes.count + size) == 0)
                return path
            }
            limitMemory(toMore: 64 << 20)
            let numbers = try GGUFFile(path: sparse(array(.uint8, UInt64(size), [])))
            guard case .array(let bytes) = numbers.metadata.value("unknown") else { throw CancellationError() }
            #expect(bytes.count == size)
            let strings = try GGUFFile(path: sparse(array(.string, UInt64(size / 8), [])))
            #expect(try strings.metadata.stringArray("unknown").count == size / 8)
            #expect(throws: GGUFError.self) { try GGUFFile(path: sparse(encoded(UInt64(size)), .string)) }
            // The longest string that opens is copied when it is asked for, and only then.
            let text = try GGUFFile(path: sparse(encoded(UInt64(HeaderLimits.stringByteCount)), .string))
            #expect(throws: GGUFError.self) { try text.metadata.uint32("unknown") }
            #expect(try text.metadata.string("unknown").utf8.count == HeaderLimits.stringByteCount)
        }
    }

    /// Arrays in arrays are refused at the first, whatever their depth: nothing recurses.
    @Test(arguments: [1, 10, 1_000_000]) func `arrays of arrays are refused at any depth`(_ depth: Int) throws {
        let level = encoded(ValueType.array.rawValue) + encoded(UInt64(1))
        var value: [UInt8] = []
        value.reserveCapacity(level.count * (depth + 1))
        for _ in 0..<depth { value += level }
        var file = RawFile.tiny
        file.setPair("empty", 9, value + array(.uint8, 0, []))
        #expect(try errorOfOpening(file.bytes)?.caseName == "nestedArray")
    }

    @Test(arguments: 0...20) func `every power of two is an alignment`(_ exponent: Int) throws {
        var file = RawFile.tiny
        file.alignment = 1 << exponent
        file.pairs.append(.init("general.alignment", .uint32, encoded(UInt32(1) << UInt32(exponent))))
        var end = 0
        for (index, count) in [24, 68, 12].enumerated() {
            file.rows[index].offset = UInt64(end)
            end = (end + count + file.alignment - 1) / file.alignment * file.alignment
        }
        file.data = [UInt8](repeating: 1, count: end)
        let opened = try openFile(file.bytes)
        #expect(opened.alignment == file.alignment)
        #expect(opened.tensors.allSatisfy { $0.offset.isMultiple(of: file.alignment) })
    }
}

/// Ends the process when it asks for more memory of its own than now plus `byteCount`; maps of files do not count.
private func limitMemory(toMore byteCount: Int) {
    #if os(Linux)
    let status = try? String(decoding: Data(contentsOf: URL(filePath: "/proc/self/status")), as: UTF8.self)
    let line = status?.split(separator: "\n").first { $0.hasPrefix("VmData:") }
    guard let kilobytes = line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap({ Int($0) }) else {
        return
    }
    let bytes = rlim_t(kilobytes * 1024 + byteCount)
    var limit = rlimit(rlim_cur: bytes, rlim_max: bytes)
    precondition(unsafe setrlimit(__rlimit_resource_t(2), &limit) == 0)  // RLIMIT_DATA
    #endif
}
