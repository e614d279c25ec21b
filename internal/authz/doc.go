// Package authz decides who may listen to which channel, and signs the answer.
//
// [Rules] are the operator's: patterns of channel names and expressions over
// the user and the pattern's parameters, compiled once. [Authorizer] asks them,
// or the application's own URL in their stead, signs for the app, and keeps
// count and an audit log of what it denied.
//
// Everything is denied that no rule allows.
package authz
