// `Fuzz --TARGET FILE ...` runs a target on files, to look into an input that made a test fail.

import TestSupport

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

@main
enum Fuzz {
    static func main() throws {
        let arguments = CommandLine.arguments.dropFirst()
        guard let target = FuzzTarget.allCases.first(where: { "--\($0.rawValue)" == arguments.first }) else {
            let targets = FuzzTarget.allCases.map { "--\($0.rawValue)" }
            print("usage: Fuzz TARGET FILE ...; targets: \(targets.joined(separator: " "))")
            return
        }
        #if LIBFUZZER
        try runLibFuzzer(target)
        #else
        let scratch = try ScratchFile()
        for path in arguments.dropFirst() {
            try target.run([UInt8](Data(contentsOf: URL(filePath: path))), scratch)
        }
        #endif
    }
}
