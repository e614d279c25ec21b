package store

import (
	"context"
	"crypto/rand"
	"time"
)

// Key gives the random key of that name, size bytes, made by the first who
// asks and then the same for every server of this database.
func (db *DB) Key(ctx context.Context, name string, size int) ([]byte, error) {
	fresh := make([]byte, size)
	rand.Read(fresh) // never fails
	_, err := db.Exec(ctx, `INSERT INTO keys (name, value, created) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING`,
		name, fresh, Millis(time.Now()))
	if err != nil {
		return nil, err
	}
	var key []byte
	err = db.QueryRow(ctx, `SELECT value FROM keys WHERE name = $1`, name).Scan(&key)
	return key, err
}
