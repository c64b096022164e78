// What the commands that make a model share: their options, and what they print while they work and when they are done.
import ArgumentParser
import Q3Convert
import Q3GGUF
import Q3Kernels
import Q3Model
import Q3System

struct ConversionArguments: ParsableArguments {
    @Option(help: "Threads that compute. (default: one per core)")
    var threads: Int?

    @Flag(help: "Print the report as JSON on stdout, and no lines.")
    var json = false

    func validate() throws {
        if let threads, threads < 1 { throw ValidationError("--threads must be at least 1") }
    }

    /// Makes a file at `output` and reports it.
    func run(output: String, _ convert: (ConvertOptions) throws -> FileReport) throws {
        try OutputPlace.check(output)
        let line = ProgressLine()
        let start = ContinuousClock.now
        let report = try convert(ConversionOutput.options(threads: threads, line: line))
        line.finish()
        try ConversionOutput.finish(
            report, path: output, seconds: (ContinuousClock.now - start) / .seconds(1), json: json)
    }
}

enum ConversionOutput {
    /// Options that draw progress and have a signal delete the unfinished file.
    static func options(threads: Int?, line: ProgressLine) -> ConvertOptions {
        var options = ConvertOptions()
        options.threads = threads
        options.progress = { progress in line.show { Self.line(progress, elapsed: $0) } }
        // There is one conversion at a time, whose file is the only one.
        options.unfinished = { path in Interruption.deferred { $0 = Set([path].compactMap { $0 }) } }
        return options
    }

    /// "[####-]  80 %  512 of 640 MB, 320 MB/s, 0:01 left"
    static func line(_ progress: Progress, elapsed: Duration, width: Int = Terminal.width(2)) -> String {
        let seconds = elapsed / .seconds(1)
        let rate = Int(Double(progress.completed) / seconds / 1e6)
        let left = RunProgress.time(seconds / max(progress.fraction, 0.001) - seconds)
        let (done, total) = (progress.completed / 1_000_000, progress.total / 1_000_000)
        return ProgressLine.bar(
            progress.fraction, beside: "\(done) of \(total) MB, \(rate) MB/s, \(left) left", width: width)
    }

    /// Reports what was made, as lines or as JSON.
    static func finish(_ report: FileReport, path: String, seconds: Double, json: Bool) throws {
        guard json else { return tell(report, path: path, seconds: seconds) }
        let output = try OutputFile(path: nil, inputs: [])
        try output.write(Array(Self.json(report, path: path, seconds: seconds).utf8))
    }

    /// A line for each tensor whose type changed, and one for all.
    private static func tell(_ report: FileReport, path: String, seconds: Double) {
        for tensor in report.tensors where tensor.newType != tensor.oldType {
            Terminal.say(
                "\(tensor.name): \(tensor.oldType.name) to \(tensor.newType.name), \(errors(tensor.difference))")
        }
        if report.wasQuantizedBefore {
            Terminal.say("warning: tensors had been rounded before; start from a file in F32, F16 or BF16 to lose less")
        }
        Terminal.say(
            "\(path): \(report.fileType.rawValue), \(megabytes(report.byteCount)) in \(tenths(seconds)) s, "
                + errors(report.difference))
    }

    private static func json(_ report: FileReport, path: String, seconds: Double) -> String {
        func add(_ difference: WeightDifference, to object: inout JSONObject) {
            object.add("rmse", difference.rmse)
            object.add("relative", difference.relative)
            object.add("largest", difference.largest)
        }
        var object = JSONObject()
        object.add("file", quoted: path)
        object.add("type", quoted: report.fileType.rawValue)
        object.add("tensor_bytes", report.byteCount)
        object.add("seconds", seconds)
        object.add("rounded_before", report.wasQuantizedBefore)
        object.add(
            "tensors",
            list: report.tensors.map { tensor in
                var object = JSONObject()
                object.add("name", quoted: tensor.name)
                object.add("shape", tensor.shape)
                object.add("from", quoted: tensor.oldType.name)
                object.add("to", quoted: tensor.newType.name)
                object.add("bytes", tensor.byteCount)
                add(tensor.difference, to: &object)
                return object
            })
        add(report.difference, to: &object)
        return "\(object)\n"
    }

    private static func errors(_ difference: WeightDifference) -> String {
        "rmse \(threeDigits(difference.rmse)) (\(hundredths(difference.relative * 100)) %), "
            + "largest \(threeDigits(Double(difference.largest)))"
    }

    private static func megabytes(_ byteCount: Int) -> String { "\(tenths(Double(byteCount) / 1e6)) MB" }

    private static func tenths(_ value: Double) -> String {
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }

    /// Three digits, "1.14e-3".
    static func threeDigits(_ value: Double) -> String {
        guard value > 0, value.isFinite else { return "0" }
        var (mantissa, exponent) = (value, 0)
        while mantissa >= 9.995 { (mantissa, exponent) = (mantissa / 10, exponent + 1) }
        while mantissa < 0.9995 { (mantissa, exponent) = (mantissa * 10, exponent - 1) }
        let digits = hundredths(mantissa)
        return exponent == 0 ? digits : "\(digits)e\(exponent)"
    }

    private static func hundredths(_ value: Double) -> String {
        let hundredths = Int((value * 100).rounded())
        return "\(hundredths / 100).\(hundredths / 10 % 10)\(hundredths % 10)"
    }
}
