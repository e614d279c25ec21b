// Package deploy holds the units, the image and the Compose file of deploy/ to
// their form: that the commands in them exist, and that no secret has a default.
package deploy
