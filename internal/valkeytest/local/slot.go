package local

import (
	"strconv"
	"strings"
	"sync"
)

// Slots is the number of hash slots of a cluster.
const Slots = 16384

// Slot returns the hash slot of a key: CRC16/XMODEM of the key, or of its hash tag, modulo
// 16384, as the Valkey cluster specification says.
func Slot(key string) uint16 {
	if i := strings.IndexByte(key, '{'); i >= 0 {
		if j := strings.IndexByte(key[i+1:], '}'); j > 0 {
			key = key[i+1 : i+1+j]
		}
	}
	var crc uint16
	for i := range len(key) {
		crc ^= uint16(key[i]) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return crc % Slots
}

// tags holds one short string for every slot, found by trying.
var tags = sync.OnceValue(func() *[Slots]string {
	var found [Slots]string
	for i, left := 0, Slots; left > 0; i++ {
		tag := "t" + strconv.Itoa(i)
		if s := Slot(tag); found[s] == "" {
			found[s] = tag
			left--
		}
	}
	return &found
})

// Tag returns a string, always the same, whose slot is the given one: a key, or what to put
// between the braces of a hash tag. It panics beyond the last slot.
func Tag(slot uint16) string { return tags()[slot] }
