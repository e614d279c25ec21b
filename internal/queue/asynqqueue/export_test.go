package asynqqueue

// Field is for the fuzzer.
var Field = field
