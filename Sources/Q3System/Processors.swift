// How many threads can run at the same time.
internal import CQ3System

/// Processors that this process may use.
package var processorCount: Int { Int(q3_processor_count()) }
