// Values of q3 tune lora's options.
#if Training
public import ArgumentParser
public import Q3Training

/// A number of layers, or "all".
struct LayerCount: ExpressibleByArgument {
    let value: Int?

    init(value: Int?) { self.value = value }

    init?(argument: String) {
        if argument == "all" {
            value = nil
        } else {
            guard let number = Int(argument), number > 0 else { return nil }
            value = number
        }
    }

    var text: String { value.map { "\($0)" } ?? "all" }
    var defaultValueDescription: String { text }
}

/// Names of matrices with commas between.
struct TargetList: ExpressibleByArgument {
    let values: Set<Projection>

    init?(argument: String) {
        let names = argument.split(separator: ",", omittingEmptySubsequences: false)
        let found = names.compactMap { Projection(rawValue: String($0)) }
        guard !found.isEmpty, found.count == names.count else { return nil }
        values = Set(found)
    }
}

extension StateType: ExpressibleByArgument {}
extension LearningRate.Decay: ExpressibleByArgument {}
#endif
