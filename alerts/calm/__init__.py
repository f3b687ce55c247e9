"""What keeps a control room calm: shelves, inhibition, coming and going, floods. Nothing here loses anything."""
