"""The learning experiment: does `bswirl` teach, and more than `swirl` does, on problems of our own?"""
