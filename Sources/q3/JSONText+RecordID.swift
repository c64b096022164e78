// The id of a record as JSON.
import Q3Input
import Q3System

extension JSONText {
    /// The field "id" after another one; nothing for a record without an id.
    mutating func append(idField id: RecordID?) {
        switch id {
        case .text(let text): append(",\"id\":"); append(quoted: text)
        case .number(let digits): append(",\"id\":\(digits)")
        case nil: break
        }
    }
}
