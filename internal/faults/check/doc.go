// Package check holds a history to the rules of the contract.
//
// What it goes by is never a guess at what a server must have done, but what was said and what is
// left: every push has an element of its own, so that each can be counted in the lists as
// they are in the end, and in the records of what each server executed.
//
// Losses. A server may lose what it has acknowledged: by asynchronous replication, when its
// replica takes its place; and when it is cut off and does not know yet that it was replaced.
// An acknowledged element that is gone is put down to that, and not to the subject, only when
// the run had a fault that may lose data of its slot, the command was under way or answered
// around that fault, the element is in the record of the very node that was replaced (so that
// the node did execute it), and the order fits: a replica holds a beginning of what its primary
// executed, so that whatever the primary executed and had acknowledged before the fault began,
// but after the lost element, has to be gone as well.
package check
