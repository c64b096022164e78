// q3_train_classifier and q3_classify: labels from a few examples, as numbers whose names the caller keeps.
public import CQ3
import Q3Analysis
import Q3Linear

/// The kind of a number of the header's enum.
private func classifierKind(_ value: Int32) throws(Fault) -> ClassifierKind {
    guard ClassifierKind.allCases.indices.contains(Int(value)) else {
        throw .argument("kind is \(value), expected Q3_LOGISTIC, Q3_NEIGHBORS or Q3_DESCRIPTIONS")
    }
    return ClassifierKind.allCases[Int(value)]
}

/// Labels of rows, numbers below `limit`.
private func rowLabels(
    _ labels: UnsafePointer<Int32>?, count: Int, limit: Int32, _ name: StaticString
) throws(Fault) -> [Int] {
    guard limit >= 2 else { throw .argument("label_count is \(limit), expected 2 or more") }
    guard let labels = unsafe labels else { throw .argument("\(name) is NULL") }
    return try (0..<count).map { row throws(Fault) in
        guard unsafe 0..<limit ~= labels[row] else {
            throw .argument("\(name)[\(row)] is \(unsafe labels[row]), expected 0 to \(limit - 1)")
        }
        return unsafe Int(labels[row])
    }
}

@c @implementation
public func q3_train_classifier(
    _ vectors: UnsafePointer<q3_vectors>?, _ labels: UnsafePointer<Int32>?, _ label_count: Int32,
    _ options: UnsafePointer<q3_train_options>?, _ weights: UnsafeMutablePointer<Float>?,
    _ training: UnsafeMutablePointer<q3_training>?, _ ticket: OpaquePointer?, _ error: UnsafeMutablePointer<q3_error>?
) -> q3_status {
    unsafe reporting(to: error) {
        let given = try unsafe Q3C.options(options, zero: q3_train_options(), name: "q3_train_options")
        let kind = try classifierKind(given.kind)
        let folds = try given.folds == 0 ? 0 : count(Int64(given.folds), "folds", in: 2...100)
        let strength = given.strength == 0 ? 1 : given.strength
        guard strength > 0, strength.isFinite else { throw Fault.argument("strength is \(strength), expected above 0") }
        let threads = try threadCount(given.threads)
        let rows = try unsafe unitRows(vectors, "vectors")
        let numbers = try unsafe rowLabels(labels, count: rows.count, limit: label_count, "labels")
        guard Set(numbers).count > 1 else {
            throw Fault.argument("all rows have the same label; two different ones are needed at least")
        }
        let names = (0..<label_count).map { "\($0)" }
        let result = try unsafe analyzing(ticket) { progress in
            let validation =
                folds == 0 || kind == .descriptions
                ? nil
                : try await Classifier.validate(
                    rows, numbers: numbers, names: names, kind, strength, folds: folds, seed: given.seed,
                    threads: threads)
            progress(Double(folds) / Double(folds + 1))
            let head =
                kind == .logistic
                ? try await Classifier.train(rows, numbers: numbers, names: names, kind, strength, threads) : nil
            return (head: head, validation: validation)
        }
        if let head = result.head {
            let places = try unsafe needed(weights, "weights")
            for label in 0..<head.rows.count {
                for (index, value) in head.rows[label].enumerated() {
                    unsafe places[label * head.rows.dimensions + index] = value
                }
            }
        }
        if let training = unsafe training {
            try unsafe write(q3_training(result.validation), to: training, name: "q3_training")
        }
    }
}

extension q3_training {
    fileprivate init(_ validation: ClassifierValidation?) {
        self.init()
        temperature = validation?.temperature ?? 1
        guard let validation else { return }
        folds = Int32(validation.folds)
        (accuracy, macro_f1) = (validation.accuracy, validation.macroF1)
        (log_loss, calibrated_log_loss) = (validation.logLoss.raw, validation.logLoss.calibrated)
        calibration_error = validation.calibrationError.raw
        calibrated_calibration_error = validation.calibrationError.calibrated
    }
}

@c @implementation
public func q3_classify(
    _ classifier: UnsafePointer<q3_classifier>?, _ vectors: UnsafePointer<q3_vectors>?,
    _ probabilities: UnsafeMutablePointer<Double>?, _ ticket: OpaquePointer?, _ error: UnsafeMutablePointer<q3_error>?
) -> q3_status {
    unsafe reporting(to: error) {
        guard unsafe classifier != nil else { throw Fault.argument("classifier is NULL") }
        let given = try unsafe Q3C.options(classifier, zero: q3_classifier(), name: "q3_classifier")
        let kind = try unsafe classifierKind(given.kind)
        let rows = try unsafe VectorMatrix(given.rows, "classifier.rows")
        let numbers =
            try kind == .logistic
            ? Array(0..<rows.count)
            : unsafe rowLabels(given.row_labels, count: rows.count, limit: given.label_count, "row_labels")
        let head = unsafe Classifier(
            kind: kind, labels: (0..<max(0, given.label_count)).map { "\($0)" }, rows: rows, rowLabels: numbers,
            temperature: given.temperature)
        let texts = try unsafe unitRows(vectors, "vectors")
        guard head.isSound(dimensions: kind == .logistic ? rows.dimensions - 1 : rows.dimensions) else {
            throw Fault.argument("the classifier's numbers do not fit together")
        }
        let threads = try unsafe threadCount(given.threads)
        let found = try unsafe analyzing(ticket) { _ in
            try await head.probabilities(of: texts, threads: threads)
        }
        guard !found.isEmpty else { return }
        let places = try unsafe needed(probabilities, "probabilities")
        for (row, values) in found.enumerated() {
            for (index, value) in values.enumerated() { unsafe places[row * values.count + index] = value }
        }
    }
}
