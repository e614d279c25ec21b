package socket

// Post is what a shard reads of a POST's head.
type Post struct {
	Target string
	Fields [][2][]byte
	Length int
	Closes bool
}

// ParsePost reads a head as shards do.
func ParsePost(head []byte) (Post, bool) {
	var p postHead
	ok := p.parse(head)
	return Post{string(p.target), p.fields, p.length, p.closes}, ok
}
