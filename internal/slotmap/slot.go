package slotmap

import "bytes"

// Slots is the number of hash slots of a Valkey cluster.
const Slots = 16384

// Slot returns the hash slot of a key as the Valkey cluster specification
// defines it: CRC16 (XMODEM) of the key modulo [Slots], where only the hash tag
// is hashed when the key has one. The hash tag is what stands between the first
// '{' and the first '}' after it, and there is none when that is empty or when
// either brace is missing.
func Slot(key []byte) uint16 {
	return crc16(hashTag(key)) & (Slots - 1)
}

// hashTag returns the part of the key that is hashed.
func hashTag(key []byte) []byte {
	open := bytes.IndexByte(key, '{')
	if open < 0 {
		return key
	}
	tag := key[open+1:]
	end := bytes.IndexByte(tag, '}')
	if end <= 0 {
		return key
	}
	return tag[:end]
}

// crc16 is the CRC16-CCITT (XMODEM) checksum: polynomial 0x1021, initial value
// zero, neither input nor output reflected.
func crc16(data []byte) uint16 {
	var crc uint16
	for _, b := range data {
		crc = crc<<8 ^ crcTable[byte(crc>>8)^b]
	}
	return crc
}

// crcTable holds the checksum of every single byte.
var crcTable = func() (table [256]uint16) {
	const polynomial = 0x1021
	for i := range table {
		crc := uint16(i) << 8
		for range 8 {
			carry := crc&0x8000 != 0
			crc <<= 1
			if carry {
				crc ^= polynomial
			}
		}
		table[i] = crc
	}
	return table
}()
