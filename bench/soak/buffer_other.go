//go:build !unix

package main

// shrinkReceiveBuffer does nothing here: a slow reader takes more to fill.
func shrinkReceiveBuffer(uintptr) {}
