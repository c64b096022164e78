// Heads that learn labels, and what cross-validation says of them.
import Q3Linear
import Testing

@testable import Q3Analysis

@Suite struct ClassifierTests {
    @Test(arguments: ClassifierKind.allCases)
    func `labels of clouds are learned`(_ kind: ClassifierKind) async throws {
        let (rows, numbers) = try Samples.clouds(90, 16, centers: 3, spread: 0.4, seed: 3)
        let labels = numbers.map { "class \($0)" }
        let head = try Classifier.train(rows, labels: labels, kind: kind)
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
        let head = try Classifier.train(rows, labels: numbers.map { "\($0)" })
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
        #expect(throws: ClassifierError.oneLabel("a")) { _ = try Classifier.train(rows, labels: ["a", "a", "a"]) }
        #expect(try await Classifier.validate(rows, labels: ["a", "a", "b"]) == nil)
    }
}
