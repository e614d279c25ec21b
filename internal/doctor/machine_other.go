//go:build !linux

package doctor

func maxFiles(int) int { return 0 }

func freeMemory() int { return 0 }

func diskSpace(string) (free, all uint64) { return 0, 0 }
