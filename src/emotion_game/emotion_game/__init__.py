"""A game for two: who shows the emotion better?"""
