// libFuzzer drives a target; Tests/Fuzz/run builds this with the coverage that it steers by.

#if LIBFUZZER
import Q3System
import TestSupport

private typealias RunOne = @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
private typealias Arguments = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>

@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>, _ arguments: UnsafeMutablePointer<Arguments?>, _ run: RunOne
)
    -> CInt

/// The callback has no context of its own.
nonisolated(unsafe) private var job: (target: FuzzTarget, scratch: ScratchFile)?

/// Hands over to libFuzzer, which takes its options and corpus folders from the arguments. It passes over what begins with
/// two dashes, but gives it on when it starts the program again for each step of a merge.
func runLibFuzzer(_ target: FuzzTarget) throws -> Never {
    unsafe job = (target, try ScratchFile())
    var count = CommandLine.argc
    var arguments: Arguments? = unsafe CommandLine.unsafeArgv
    let status = unsafe runDriver(&count, &arguments) { bytes, count in
        let bytes = unsafe Array(UnsafeBufferPointer(start: bytes, count: count))
        do {
            if let job = unsafe job { try job.target.run(bytes, job.scratch) }
        } catch {
            fatalError("the target itself failed: \(error)")
        }
        return 0
    }
    exit(status)
}
#endif
