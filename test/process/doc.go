// Package process tests the program as an operator has it: the real binary in
// processes of its own, with signals, kills and restarts.
package process
