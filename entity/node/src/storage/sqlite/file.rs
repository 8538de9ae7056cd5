//! The file under the log.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::log::{LOG_NAME, LogFile, Wanted};

/// A file in a directory.
#[derive(Debug)]
pub(super) struct DiskFile {
    file: File,
    path: PathBuf,
}

impl DiskFile {
    /// Opens the log in `data_dir` when called.
    pub(super) fn opening(
        data_dir: &Path,
    ) -> impl FnOnce(Wanted) -> io::Result<Box<dyn LogFile>> + use<> {
        let (path, data_dir) = (data_dir.join(LOG_NAME), data_dir.to_owned());
        move |wanted| {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(wanted == Wanted::Any)
                .truncate(false)
                .mode(0o600)
                .open(&path)?;
            // Its name has to be as durable as what will be in it.
            file.sync_all()?;
            File::open(data_dir)?.sync_all()?;
            Ok(Box::new(Self { file, path }) as Box<dyn LogFile>)
        }
    }
}

impl LogFile for DiskFile {
    fn len(&self) -> io::Result<usize> {
        usize::try_from(self.file.metadata()?.len()).map_err(io::Error::other)
    }

    fn read(&self, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, 0)
    }

    fn write(&mut self, at: usize, data: &[u8]) -> io::Result<()> {
        self.file.write_all_at(data, place(at)?)
    }

    fn cut(&mut self, len: usize) -> io::Result<()> {
        self.file.set_len(place(len)?)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn remove(&mut self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }
}

fn place(at: usize) -> io::Result<u64> {
    u64::try_from(at).map_err(io::Error::other)
}
