// `Fuzz TARGET FILE ...` runs a target on files, to look into an input that made a test fail.

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
        guard let target = arguments.first.flatMap(FuzzTarget.init(rawValue:)) else {
            print("usage: Fuzz TARGET FILE ...; targets: \(FuzzTarget.allCases.map(\.rawValue).joined(separator: " "))")
            return
        }
        for path in arguments.dropFirst() { try target.run([UInt8](Data(contentsOf: URL(filePath: path)))) }
    }
}
