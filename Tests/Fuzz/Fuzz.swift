// `fuzz TARGET FILE ...` runs a target on files. Built by `make fuzz` it is libFuzzer's driver instead.

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

#if FUZZING
    @_silgen_name("LLVMFuzzerRunDriver")
    private func runDriver(
        _ count: UnsafeMutablePointer<CInt>, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
        _ test: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
    ) -> CInt
#endif

@main
enum Fuzz {
    /// Q3_FUZZ names the target.
    private static let target = unsafe getenv("Q3_FUZZ").flatMap { FuzzTarget(rawValue: unsafe String(cString: $0)) }

    static func main() {
        guard target != nil else {
            print("set Q3_FUZZ to one of \(FuzzTarget.allCases.map(\.rawValue).joined(separator: " "))")
            exit(64)
        }
        #if FUZZING
            var count = CommandLine.argc
            var arguments = unsafe CommandLine.unsafeArgv
            exit(unsafe runDriver(&count, &arguments) { bytes, count in
                run(unsafe Array(UnsafeBufferPointer(start: bytes, count: count)))
                return 0
            })
        #else
            print("built without a fuzzer; use make fuzz")
            exit(64)
        #endif
    }

    private static func run(_ bytes: [UInt8]) {
        do {
            try target?.run(bytes)
        } catch {
            fatalError("\(error)")
        }
    }
}
