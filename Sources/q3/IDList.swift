// The ids of the rows of a matrix, a line each in a file beside it.
import Q3Input

/// Makes its file with the first id, so that there is none where the input has no ids.
struct IDList {
    private let path: String?
    private let inputs: [String]
    private var file: OutputFile?
    /// Indices of rows before the first id.
    private var indices: [Int] = []
    private var hasSaidThatThereAreIDs = false

    /// For the matrix at `output`; nil is stdout, which has no place beside it.
    init(beside output: String?, inputs: [String]) {
        self.inputs = inputs
        guard let output, output != "-" else {
            path = nil
            return
        }
        path = (output.lowercased().hasSuffix(".npy") ? String(output.dropLast(4)) : output) + ".ids.txt"
    }

    /// Adds a row's id, or its index where it has none.
    mutating func add(_ id: RecordID?, index: Int) throws {
        guard let path else {
            if id != nil, !hasSaidThatThereAreIDs {
                Terminal.say("the ids are left out, which an .npy has no place for; --output FILE puts them beside it")
                hasSaidThatThereAreIDs = true
            }
            return
        }
        guard let id else {
            if let file { try file.write(Array("\(index)\n".utf8)) } else { indices.append(index) }
            return
        }
        guard !id.text.utf8.contains(where: { $0 == 0x0A || $0 == 0x0D }) else {
            throw Failure(
                .badData, "the id of record \(index) holds a line break, which \(path) cannot; use jsonl or csv")
        }
        if file == nil {
            file = try OutputFile(path: path, inputs: inputs)
            try file?.write(Array(indices.map { "\($0)\n" }.joined().utf8))
        }
        try file?.write(Array("\(id.text)\n".utf8))
    }

    /// Puts the file in its place, and returns its path; nil where there were no ids.
    func finish() throws -> String? {
        try file?.finish()
        return file == nil ? nil : path
    }
}
