// What all measurements of one run of q3 bench share: the file, the options, and the line that shows progress.
import Q3GGUF
import Q3Kernels
import Q3Model
import Q3System

struct BenchSetup: CustomStringConvertible {
    let file: GGUFFile
    /// Opens the file in this process and in a child.
    let path: String
    /// The file's name, or the synthetic model's.
    let modelName: String
    let options: ModelOptions
    let isa: ISA
    let repeatCount: Int
    let warmsUp: Bool

    var threads: Int { options.threads ?? processorCount }

    var description: String { "\(modelName), \(options.precision.rawValue), \(isa.name), \(threads) threads" }

    func model(threads: Int? = nil) throws -> Qwen3Model {
        var options = options
        options.threads = threads ?? options.threads
        do {
            return try Qwen3Model(file: file, options: options, isa: isa)
        } catch {
            throw Failure(error, model: modelName)
        }
    }

    func describe(in object: inout JSONObject) {
        object.add("precision", quoted: options.precision.rawValue)
        object.add("isa", quoted: isa.name)
        object.add("model", quoted: modelName)
    }

    /// Says on a terminal what is being done.
    static func show(_ activity: String) {
        if Terminal.isInteractive(2) { Terminal.redraw(activity) }
    }

    static func time(_ body: () async throws -> Void) async rethrows -> Double {
        let start = ContinuousClock.now
        try await body()
        return (ContinuousClock.now - start) / .seconds(1)
    }
}
