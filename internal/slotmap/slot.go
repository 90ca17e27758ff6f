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
// zero, neither input nor output reflected. It takes eight bytes at a time: the
// checksum is linear, so each contributes what it would alone, with as many
// zeros behind it as bytes follow. Nothing else that a command needs looks at
// every byte of its key.
func crc16(data []byte) uint16 {
	var crc uint16
	for len(data) >= 8 {
		d := data[:8:8]
		crc = crcTables[7][d[0]^byte(crc>>8)] ^ crcTables[6][d[1]^byte(crc)] ^
			crcTables[5][d[2]] ^ crcTables[4][d[3]] ^ crcTables[3][d[4]] ^
			crcTables[2][d[5]] ^ crcTables[1][d[6]] ^ crcTables[0][d[7]]
		data = data[8:]
	}
	for _, b := range data {
		crc = crc<<8 ^ crcTables[0][byte(crc>>8)^b]
	}
	return crc
}

// crcTables holds the checksum of every single byte, with 0 to 7 zeros behind it.
var crcTables = func() (tables [8][256]uint16) {
	const polynomial = 0x1021
	for i := range tables[0] {
		crc := uint16(i) << 8
		for range 8 {
			carry := crc&0x8000 != 0
			crc <<= 1
			if carry {
				crc ^= polynomial
			}
		}
		tables[0][i] = crc
	}
	for zeros := 1; zeros < len(tables); zeros++ {
		for i, crc := range tables[zeros-1] {
			tables[zeros][i] = crc<<8 ^ tables[0][crc>>8]
		}
	}
	return tables
}()
