// Everything that keeps a model from being made.
package import Q3GGUF
import Q3System

/// Why a model could not be converted or quantized.
package enum ConvertError: Error, Sendable, Equatable {
    /// The output would replace the file that is read.
    case outputIsInput(path: String)
    /// Something that is not a file has the output's name.
    case notReplaceable(path: String)
    /// The kernels do not read this type.
    case unreadableType(tensor: String, type: TensorType)
    /// A value is not a number, or too large for the type.
    case outOfReach(tensor: String, type: TensorType)
    case noTensors
    case threadCount(Int)

    // A folder of Hugging Face.
    case missingFile(folder: String, name: String)
    case badFile(path: String, fault: String)
    case badSafetensors(path: String, fault: String)
    /// Another pooling than the last token's.
    case pooling(folder: String, modes: [String])
    case unknownRole(folder: String)
    case missingTensor(folder: String, name: String)
    case unknownTensor(folder: String, name: String)
    /// Shapes with the slowest axis first, as the folder has them.
    case badShape(tensor: String, got: [Int], expected: [Int], by: String)
    /// The adapter changes something that the model does not have, or that is not merged.
    case strayAdapter(model: String, module: String)
    case missingToken(folder: String, token: String)
    /// A language model was asked for where there is none.
    case embeddingsAreNotCausal
    /// A language model was asked for where there is a classifier.
    case classifierIsNotCausal
    /// A classifier has other outputs than one logit, or yes and no.
    case labels(folder: String, [String])
    /// The error of opening the new file.
    case unrunnable(folder: String, fault: String)

    /// A file of the result cannot be written.
    case cannotWrite(path: String, code: Int32)
    /// Models that are not fine-tunes of one base.
    case notMergeable(String)

    case cannotStartThreads(expected: Int, got: Int)
}

extension ConvertError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .outputIsInput(let path):
            "\(path.escapedForTerminal) is the model that is read; give another name for the output"
        case .notReplaceable(let path):
            "\(path.escapedForTerminal) is not a regular file; give another name for the output"
        case .unreadableType(let tensor, let type):
            "tensor \(tensor.escapedForTerminal) is \(type.name), which is not supported; "
                + "start from a file in F32, F16, BF16 or Q8_0"
        case .outOfReach(let tensor, let type):
            "tensor \(tensor.escapedForTerminal) holds NaN, an infinity or values too large for \(type.name); "
                + "download the model again or convert it to F32 or BF16"
        case .noTensors:
            "the file holds no tensors; it is a vocabulary without a model"
        case .missingFile(let folder, let name):
            "\(folder.escapedForTerminal) has no \(name.escapedForTerminal); "
                + "give the folder of a Qwen3 model as Hugging Face has it, complete"
        case .badFile(let path, let fault):
            "\(path.escapedForTerminal): \(fault)"
        case .badSafetensors(let path, let fault):
            "\(path.escapedForTerminal) is damaged or not a safetensors file: \(fault)"
        case .pooling(let folder, let modes):
            "\(folder.escapedForTerminal)/1_Pooling/config.json asks for pooling by "
                + "\(modes.isEmpty ? "nothing" : modes.joined(separator: ", ").escapedForTerminal), expected lasttoken: "
                + "the last token's state is all that q3 computes"
        case .embeddingsAreNotCausal:
            "an embedding model has no output matrix to keep, so it cannot stay a causal language model"
        case .classifierIsNotCausal:
            "a sequence classifier has no output matrix to keep, so it cannot stay a causal language model"
        case .labels(let folder, let labels):
            "\(folder.escapedForTerminal)/config.json has the labels \(labels.map(\.escapedForTerminal)), expected one, "
                + "or yes and no: no other classifier gives scores of pairs"
        case .unrunnable(let folder, let fault):
            "\(folder.escapedForTerminal) gives a model that does not run: \(fault)"
        case .unknownRole(let folder):
            "nothing in \(folder.escapedForTerminal) says whether it embeds or reranks"
        case .missingTensor(let folder, let name):
            "\(folder.escapedForTerminal) has no tensor \(name.escapedForTerminal); download it again"
        case .unknownTensor(let folder, let name):
            "\(folder.escapedForTerminal) has a tensor \(name.escapedForTerminal), which no Qwen3 model has that q3 computes"
        case .badShape(let tensor, let got, let expected, let config):
            "tensor \(tensor.escapedForTerminal) has shape \(got), its \(config) expects \(expected)"
        case .strayAdapter(let model, let module):
            "the adapter changes \(module.escapedForTerminal), which is not a matrix of a layer of \(model.escapedForTerminal)"
        case .missingToken(let folder, let token):
            "the tokenizer of \(folder.escapedForTerminal) has no token \(token.escapedForTerminal)"
        case .cannotWrite(let path, let code):
            "cannot write \(path.escapedForTerminal): \(SystemError(code: code))"
        case .notMergeable(let fault): fault
        case .threadCount(let count):
            "\(count) threads are not possible; ask for at least 1"
        case .cannotStartThreads(let expected, let got):
            "the system lets only \(got) of \(expected) threads run; ask for fewer or raise the limit (ulimit -u)"
        }
    }
}
