//go:build !unix

package services

import (
	"errors"
	"os/exec"
)

func runAs(*exec.Cmd, string) error {
	return errors.New("tests with a real PostgreSQL or Redis run on Unix only")
}

func give(string, string) error { return nil }
