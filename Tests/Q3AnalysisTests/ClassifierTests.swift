// Heads that learn labels, what cross-validation says of them, and the files that keep them.
import Foundation
import Q3Linear
import Testing

@testable import Q3Analysis

@Suite struct ClassifierTests {
    @Test(arguments: ClassifierKind.allCases)
    func `labels of clouds are learned`(_ kind: ClassifierKind) async throws {
        let (rows, numbers) = try Samples.clouds(90, 16, centers: 3, spread: 0.4, seed: 3)
        let labels = numbers.map { "class \($0)" }
        let head = try await Classifier.train(rows, labels: labels, kind: kind)
        let probabilities = try await head.probabilities(of: rows)
        for (found, label) in zip(probabilities, labels) {
            #expect(abs(found.reduce(0, +) - 1) < 1e-9)
            #expect(head.labels[found.firstIndex(of: found.max()!)!] == label)
        }
        let seen = try #require(try await Classifier.validate(rows, labels: labels, kind: kind))
        #expect(seen.folds == 5 && seen.accuracy > 0.9 && seen.macroF1 > 0.9)
        #expect(seen.logLoss.calibrated <= seen.logLoss.raw + 1e-9 && seen.temperature > 0)
        await #expect(throws: LinearError.self) {
            _ = try await head.probabilities(of: try Samples.random(2, 5, seed: 1))
        }
    }

    /// At the optimum the gradient of scikit-learn's objective is zero: Σ (p - y) x + w = 0, and Σ (p - y) = 0 for the bias.
    @Test func `logistic regression is at its optimum`() async throws {
        let (rows, numbers) = try Samples.clouds(60, 6, centers: 3, spread: 1, seed: 8)
        let head = try await Classifier.train(rows, labels: numbers.map { "\($0)" })
        let probabilities = try await head.probabilities(of: rows)
        for label in 0..<3 {
            for column in 0..<7 {
                var gradient = column < 6 ? Double(head.rows[label][column]) : 0
                for row in 0..<60 {
                    let error = probabilities[row][label] - (numbers[row] == label ? 1 : 0)
                    gradient += error * (column < 6 ? Double(rows[row][column]) : 1)
                }
                #expect(abs(gradient) < 1e-4)
            }
        }
    }

    @Test func `one label is nothing to learn, and one row of a label nothing to test`() async throws {
        let rows = try Samples.random(3, 4, seed: 1)
        await #expect(throws: ClassifierError.oneLabel("a")) {
            _ = try await Classifier.train(rows, labels: ["a", "a", "a"])
        }
        #expect(try await Classifier.validate(rows, labels: ["a", "a", "b"]) == nil)
    }

    @Test func `any number of threads gives the same bits, and a row the same alone`() async throws {
        let (rows, numbers) = try Samples.clouds(700, 40, centers: 5, spread: 1.2, seed: 6)
        let labels = numbers.map { "\($0)" }
        let head = try await Classifier.train(rows, labels: labels, threads: 1)
        let others = try await Classifier.train(rows, labels: labels, threads: 3)
        #expect((0..<5).allSatisfy { head.rows[$0] == others.rows[$0] })
        let all = try await head.probabilities(of: rows, threads: 3)
        #expect(try await head.probabilities(of: rows, threads: 1) == all)
        #expect(try await head.probabilities(of: try rows.rows([17, 699])) == [all[17], all[699]])
    }

    @Test(arguments: ClassifierKind.allCases)
    func `a file gives back what was written`(_ kind: ClassifierKind) async throws {
        let (rows, numbers) = try Samples.clouds(30, 8, centers: 3, spread: 0.4, seed: 4)
        var head = try await Classifier.train(rows, labels: numbers.map { "l\u{1B}\($0)" }, kind: kind)
        head.temperature = 0.7
        let file = ClassifierFile(head, model: "m", fingerprint: "0123", dimensions: 8, instruct: "Sort")
        let read = try JSONDecoder().decode(ClassifierFile.self, from: JSONEncoder().encode(file))
        #expect(read.model == "m" && read.fingerprint == "0123" && read.instruct == "Sort" && read.dimensions == 8)
        #expect(read.classifier.labels == head.labels && read.classifier.kind == kind)
        #expect(try await read.classifier.probabilities(of: rows) == head.probabilities(of: rows))
    }

    @Test func `a file that does not fit together is damaged`() async throws {
        let (rows, numbers) = try Samples.clouds(30, 8, centers: 3, spread: 0.4, seed: 4)
        let head = try await Classifier.train(rows, labels: numbers.map { "\($0)" })
        let file = ClassifierFile(head, model: nil, fingerprint: nil, dimensions: 8, instruct: nil)
        let object = try JSONSerialization.jsonObject(with: JSONEncoder().encode(file))
        let good = try #require(object as? [String: Any])
        func error(_ change: [String: Any?]) throws -> ClassifierError? {
            var damaged = good
            for (key, value) in change { damaged[key] = value }
            let data = try JSONSerialization.data(withJSONObject: damaged)
            do {
                _ = try JSONDecoder().decode(ClassifierFile.self, from: data)
                return nil
            } catch let error as ClassifierError {
                return error
            }
        }
        #expect(try error([:]) == nil)
        for change in [
            ["labels": ["a"]], ["labels": ["a", "b"]], ["rows": [[1.0]]], ["rows": [[Double]]()], ["rows": nil],
            ["rowLabels": [0, 1]], ["rowLabels": [0, 2, 1]], ["rowLabels": [0, 1, 3]], ["temperature": 0],
            ["temperature": -1],
            ["dimensions": 9], ["kind": "magic"], ["kind": "neighbors"], ["version": nil],
        ] as [[String: Any?]] {
            #expect(try error(change) == .damaged, "\(change)")
        }
        #expect(try error(["version": 2]) == .newerVersion(2))
        #expect(try error(["format": "other"]) == .notAClassifier)
    }

    @Test func `a file that is written piece by piece reads as the encoded one`() throws {
        let head = Classifier(
            kind: .neighbors, labels: ["a\"b", "c\n"],
            rows: try VectorMatrix([[1, 0.1], [-3.4e-20, 1e9], [0.25, -0]]),
            rowLabels: [0, 1, 1], temperature: 0.3)
        for (model, instruct) in [("a/b.gguf", "do \\ this"), (nil, nil)] as [(String?, String?)] {
            let file = ClassifierFile(head, model: model, fingerprint: model, dimensions: 2, instruct: instruct)
            var text = ""
            try file.writeJSON { text += $0 }
            let decoded = try JSONDecoder().decode(ClassifierFile.self, from: Data(text.utf8))
            #expect(decoded.model == model && decoded.fingerprint == model && decoded.instruct == instruct)
            #expect(decoded.classifier.labels == head.labels && decoded.classifier.rowLabels == head.rowLabels)
            #expect(decoded.classifier.temperature == 0.3 && decoded.classifier.kind == .neighbors)
            for row in 0..<3 { #expect(decoded.classifier.rows[row] == head.rows[row]) }
        }
    }
}
