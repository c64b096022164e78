// Several LoRA adapters of one base in, one out.
import Q3System

/// Merges LoRA adapters, without the model that they change.
///
/// The merged change of a matrix is the sum of the adapters' changes, scale · B · A, times a factor each. That sum is a LoRA
/// adapter too, whose A has the rows of all of them and whose B has their columns, so nothing is rounded but B's values and
/// the result stays small; its rank is the sum of theirs.
package enum AdapterMerger {
    /// How adapters are merged.
    package struct Options: Sendable {
        /// How changes are combined, matrix by matrix.
        package var method = MergeMethod.slerp
        /// How much each adapter counts, above 0; nil for equal weights.
        package var weights: [Double]?
        /// Whether adapters are merged whose bases differ by name or fingerprint.
        package var mixesBases = false

        package init() {}
    }

    /// What was made.
    package struct Report: Sendable, Equatable {
        /// Rows of every A.
        package let rank: Int
        /// Matrices that are changed.
        package let moduleCount: Int
        /// The least cosine of two adapters' changes of a matrix, and the matrix.
        package let leastCosine: Double
        package let leastModule: String
    }

    /// Changes further apart than this undo each other's work: on the arc between them, halfway, each would count more than
    /// it does alone.
    private static let oppositeCosine = -0.5

    /// Writes the merged adapter into `folder` as PEFT keeps it; `prepare` makes the folder, when everything is found to be
    /// right. Name and task are those of the first.
    ///
    /// Throws `ConvertError.notMergeable` for adapters of different bases, modules or sizes, and for changes
    /// that slerp is not defined for; and what reading and writing throws.
    package static func merge(
        _ paths: [String], to folder: String, options: Options = Options(), prepare: () throws -> Void = {}
    ) throws -> Report {
        guard paths.count > 1 else {
            throw ConvertError.notMergeable("one adapter is nothing to merge; give two at least")
        }
        let adapters = try paths.map { try LowRankAdapter(folder: $0) }
        let weights = options.weights ?? paths.map { _ in 1 }
        guard weights.count == paths.count, weights.allSatisfy({ $0 > 0 && $0.isFinite }) else {
            throw ConvertError.notMergeable(
                "\(weights.count) weights for \(paths.count) adapters; give one above 0 for each")
        }
        if let same = paths.first(where: { isSameFolder($0, folder) }) { throw ConvertError.outputIsInput(path: same) }
        for other in adapters.dropFirst() { try check(adapters[0], other, options) }
        let modules = try adapters[0].moduleNames.sorted().map { name in
            let (outputs, inputs) = try adapters[0].size(of: name)
            return LowRankAdapterFolder.Module(name: name, outputs: outputs, inputs: inputs)
        }
        let merged = try modules.map { module in
            let products = try products(of: adapters.map { try Change($0, module) })
            let merged = MergeWeights(products: products, weights: weights, method: options.method)
            if options.method == .slerp { try checkArc(products, merged, adapters, module.name) }
            return merged
        }
        let rank = adapters.reduce(0) { $0 + $1.rank }
        var output = LowRankAdapterFolder(rank: rank, alpha: Double(rank), modules: modules)
        output.modulePrefix = adapters[0].modulePrefix
        if let task = adapters[0].task { output.task = task }
        output.baseName = adapters[0].baseName ?? ""
        let fingerprints = Set(adapters.map(\.fingerprint))
        output.fingerprint = fingerprints.count == 1 ? adapters[0].fingerprint : nil
        try prepare()
        try output.write(to: folder) { index in
            try sum(adapters.map { try Change($0, modules[index]) }, factors: merged[index].factors, modules[index])
        }
        for adapter in adapters { try adapter.checkUnchanged() }
        let least = zip(modules, merged).min { $0.1.leastCosine < $1.1.leastCosine }
        return Report(
            rank: rank, moduleCount: modules.count, leastCosine: least?.1.leastCosine ?? 1,
            leastModule: least?.0.name ?? "")
    }

    /// Throws where two adapters do not change the same matrices of the same base.
    private static func check(_ first: LowRankAdapter, _ other: LowRankAdapter, _ options: Options) throws {
        func fault(_ what: String) -> ConvertError {
            .notMergeable("\(first.path.escapedForTerminal) and \(other.path.escapedForTerminal) \(what)")
        }
        if !options.mixesBases {
            let anyway = "; --any-base merges them all the same"
            let names = [first, other].map { ($0.baseName ?? "").lastPathPart }
            if names.allSatisfy({ !$0.isEmpty }), names[0].lowercased() != names[1].lowercased() {
                throw fault(
                    "are for the models \(names[0].escapedForTerminal) and \(names[1].escapedForTerminal)\(anyway)")
            }
            if let mine = first.fingerprint, let its = other.fingerprint, mine != its {
                throw fault(
                    "were trained on models with the fingerprints \(mine.escapedForTerminal) and "
                        + "\(its.escapedForTerminal), which are two models or two types of one\(anyway)")
            }
        }
        if let name = first.moduleNames.symmetricDifference(other.moduleNames).sorted().first {
            throw fault(
                "do not change the same matrices: \(name.escapedForTerminal) is in one of them alone; train them with the "
                    + "same layers and targets")
        }
        for name in first.moduleNames.sorted() {
            let (mine, its) = (try first.size(of: name), try other.size(of: name))
            guard mine == its else {
                throw fault(
                    "change \(name.escapedForTerminal) as a matrix of \(mine.outputs) x \(mine.inputs) and of "
                        + "\(its.outputs) x \(its.inputs) values: they are of models of different sizes")
            }
        }
    }

    /// Throws where slerp is not defined: a change is zero, or two changes are opposite.
    private static func checkArc(
        _ products: [[Double]], _ merged: MergeWeights, _ adapters: [LowRankAdapter], _ module: String
    ) throws {
        if let row = products.indices.first(where: { products[$0][$0] == 0 }) {
            throw ConvertError.notMergeable(
                "\(adapters[row].path.escapedForTerminal) leaves \(module.escapedForTerminal) as it is, and slerp needs a "
                    + "direction of every change; use --method mean")
        }
        guard merged.leastCosine >= oppositeCosine, merged.factors.allSatisfy(\.isFinite) else {
            throw ConvertError.notMergeable(
                "the adapters' changes of \(module.escapedForTerminal) have a cosine of "
                    + "\(DecimalText.fixed(merged.leastCosine, 3)): they undo each other's work, and an arc between them "
                    + "leads away from both; use --method mean, or merge others")
        }
    }

    // MARK: - Changes of one matrix

    /// scale · B · A of one adapter.
    private struct Change {
        let down: [Float]  // A [rank, inputs]
        let up: [Float]  // B [outputs, rank]
        let rank: Int
        let scale: Double

        init(_ adapter: LowRankAdapter, _ module: LowRankAdapterFolder.Module) throws {
            (down, up) = try adapter.factors(of: module.name)
            (rank, scale) = (adapter.rank, adapter.scale)
            guard down.allSatisfy(\.isFinite), up.allSatisfy(\.isFinite) else {
                throw ConvertError.badFile(
                    path: adapter.path,
                    fault: "the matrices of \(module.name.escapedForTerminal) hold NaN or an infinity")
            }
        }
    }

    /// The dot products of the changes with each other, by their values [adapters, adapters].
    private static func products(of changes: [Change]) -> [[Double]] {
        changes.map { left in
            changes.map { right in
                // The sum over all values of B A and B' A' is that of (A A'ᵀ) and (Bᵀ B'), which are small.
                var sum = 0.0
                let ups = gram(left.up, left.rank, right.up, right.rank, byRows: false)
                let downs = gram(left.down, left.rank, right.down, right.rank, byRows: true)
                for (up, down) in zip(ups, downs) { sum += up * down }
                return sum * left.scale * right.scale
            }
        }
    }

    /// The products of the rows, or columns, of two matrices [leftRank, rightRank].
    private static func gram(
        _ left: [Float], _ leftRank: Int, _ right: [Float], _ rightRank: Int, byRows: Bool
    ) -> [Double] {
        let length = left.count / leftRank
        var sums = [Double](repeating: 0, count: leftRank * rightRank)
        for row in 0..<leftRank {
            for other in 0..<rightRank {
                var sum = 0.0
                for index in 0..<length {
                    let (a, b) =
                        byRows
                        ? (left[row * length + index], right[other * length + index])
                        : (left[index * leftRank + row], right[index * rightRank + other])
                    sum += Double(a) * Double(b)
                }
                sums[row * rightRank + other] = sum
            }
        }
        return sums
    }

    /// The sum of changes times factors, whose own scale is 1.
    private static func sum(
        _ changes: [Change], factors: [Double], _ module: LowRankAdapterFolder.Module
    ) throws -> LowRankAdapterFolder.Factors {
        let rank = changes.reduce(0) { $0 + $1.rank }
        var up = [Float](repeating: 0, count: module.outputs * rank)
        var first = 0
        for (change, factor) in zip(changes, factors) {
            for output in 0..<module.outputs {
                for column in 0..<change.rank {
                    let value = Double(change.up[output * change.rank + column]) * change.scale * factor
                    up[output * rank + first + column] = Float(value)
                }
            }
            first += change.rank
        }
        guard up.allSatisfy(\.isFinite) else {
            throw ConvertError.notMergeable(
                "the merged change of \(module.name.escapedForTerminal) is too large for F32")
        }
        return (changes.flatMap(\.down), up)
    }

    private static func isSameFolder(_ path: String, _ other: String) -> Bool {
        var status = stat()
        return unsafe stat(path, &status) == 0 && isSameFile(status, as: other)
    }
}
