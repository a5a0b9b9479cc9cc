"""What a lock is compared with: manifest, matrix, environment, machine, indexes, image. One module a comparison."""
