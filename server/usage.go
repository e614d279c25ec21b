package server

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/belfryhq/belfry/internal/hub"
)

// usageFile keeps what apps have used of their messages_per_day over a restart.
type usageFile struct{ path string }

// usageInterval is how often it is written, and so how much of the count a
// kill may lose.
const usageInterval = 10 * time.Second

func (f usageFile) load() (map[string]hub.Usage, error) {
	b, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var used map[string]hub.Usage
	return used, json.Unmarshal(b, &used)
}

// save writes the file as a whole or not at all.
func (f usageFile) save(used map[string]hub.Usage) error {
	b, err := json.Marshal(used)
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(f.path), ".usage-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(b)
	if err = errors.Join(err, temp.Close()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), f.path)
}

// keepUsage writes the counts now and then until ctx ends; stop writes them
// last.
func (s *Server) keepUsage(ctx context.Context) error {
	tick := time.NewTicker(usageInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		s.saveUsage()
	}
}

func (s *Server) saveUsage() {
	if err := s.usage.save(publicHub{s.hub}.Usage()); err != nil {
		s.log.Error("the day's message counts could not be written", "file", s.usage.path, "error", err)
	}
}
